"""Taskiq doing nothing, on the same broker."""

import asyncio
import os
import socket

from taskiq_aio_pika import AioPikaBroker

broker = AioPikaBroker(os.environ["AMQP_URL"], qos=200)  # noqa: TID251 - a peer, not one of ours


@broker.task
async def nothing(number: int) -> None:
    """Do nothing."""


@broker.task
async def last(port: int) -> None:
    """Tell whoever measures that everything before this was taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"done", ("127.0.0.1", port))


async def enqueue(count: int, port: int, at_a_time: int = 100) -> None:
    """Enqueue `count` tasks and the last one."""
    await broker.startup()
    for start in range(0, count, at_a_time):
        numbers = range(start, min(start + at_a_time, count))
        await asyncio.gather(*(nothing.kiq(number) for number in numbers))
    await last.kiq(port)
    await broker.shutdown()
