"""Connections to the broker, and which failures mean that it is away."""

import asyncio
import random

import aio_pika
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractExchange,
    AbstractQueue,
    FieldValue,
    TimeoutType,
)

from libs.bus.topology import DEAD, DELIVERY_LIMIT, Exchange, Queue

TIMEOUT_SECONDS = 10.0
BROKER_AWAY = (
    aio_pika.exceptions.AMQPError,
    aio_pika.exceptions.ChannelInvalidStateError,
    ConnectionError,
    TimeoutError,
    OSError,
)


class _Connection(aio_pika.Connection):
    """Closed when it could not be made: else the collector closes it, at any time, in any loop."""

    async def connect(self, timeout: TimeoutType = None) -> None:
        try:
            await super().connect(timeout)
        except BaseException:
            await self.close()
            raise


async def connect(url: str, name: str) -> AbstractConnection:
    """A connection to the broker that shows as `name` there. Raises one of BROKER_AWAY."""
    return await aio_pika.connect(
        url,
        client_properties={"connection_name": name},
        timeout=TIMEOUT_SECONDS,
        connection_class=_Connection,
    )


async def declare_exchange(channel: AbstractChannel, exchange: Exchange) -> AbstractExchange:
    """Create the exchange if it is not there."""
    return await channel.declare_exchange(
        exchange.name, exchange.kind, durable=True, timeout=TIMEOUT_SECONDS
    )


async def declare_queue(channel: AbstractChannel, queue: Queue) -> AbstractQueue:
    """Create the queue, its dead-letter queue and its bindings if they are not there."""
    dead = await declare_exchange(channel, DEAD)
    parked = await channel.declare_queue(
        queue.dead, durable=True, arguments={"x-queue-type": "quorum"}, timeout=TIMEOUT_SECONDS
    )
    await parked.bind(dead, queue.name, timeout=TIMEOUT_SECONDS)
    declared = await channel.declare_queue(
        queue.name, durable=True, arguments=_arguments(queue), timeout=TIMEOUT_SECONDS
    )
    exchange = await declare_exchange(channel, queue.exchange)
    for key in queue.routing_keys:
        await declared.bind(exchange, key, timeout=TIMEOUT_SECONDS)
    return declared


def _arguments(queue: Queue) -> dict[str, FieldValue]:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD.name,
        "x-dead-letter-routing-key": queue.name,
    }


async def pause(attempt: int, stopping: asyncio.Event | None = None) -> None:
    """Wait before the next attempt: 0.1 s doubling to 2 s, with jitter; less when stopping."""
    seconds = min(0.1 * 2**attempt, 2.0) * random.uniform(0.5, 1.0)
    if stopping is None:
        await asyncio.sleep(seconds)
        return
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
