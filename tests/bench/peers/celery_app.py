"""Celery doing nothing, as safely as it can: late acknowledgement and publisher confirms."""

import os
import socket
import time

from celery import Celery

app = Celery("bench", broker=os.environ["AMQP_URL"])  # noqa: TID251 - a peer, not one of ours
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    broker_transport_options={"confirm_publish": True},
    worker_prefetch_multiplier=50,
    broker_connection_retry_on_startup=True,
    worker_send_task_events=False,
)


@app.task  # type: ignore[untyped-decorator]
def nothing(number: int) -> None:
    """Do nothing."""


@app.task  # type: ignore[untyped-decorator]
def last(port: int) -> None:
    """Tell whoever measures that everything before this was taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"done", ("127.0.0.1", port))


def enqueue(count: int, port: int) -> float:
    """Enqueue `count` tasks and the last one; returns seconds spent."""
    started = time.perf_counter()
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(count):
            nothing.apply_async((number,), producer=producer)
        last.apply_async((port,), producer=producer)
    return time.perf_counter() - started
