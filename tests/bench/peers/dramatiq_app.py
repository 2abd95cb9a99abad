"""Dramatiq doing nothing, as safely as it does by itself: late acknowledgement and confirms."""

import os
import socket

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

broker = RabbitmqBroker(
    url=os.environ["AMQP_URL"],  # noqa: TID251 - a peer, not one of ours
    confirm_delivery=True,
)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench.dramatiq")
def nothing(number: int) -> None:
    """Do nothing."""


@dramatiq.actor(queue_name="bench.dramatiq")
def last(port: int) -> None:
    """Tell whoever measures that everything before this was taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"done", ("127.0.0.1", port))


def enqueue(count: int, port: int) -> None:
    """Enqueue `count` tasks and the last one."""
    for number in range(count):
        nothing.send(number)
    last.send(port)
