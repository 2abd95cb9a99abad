"""Publishing with confirms: when `publish` returns, the broker has the message on disk."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from google.protobuf.message import Message

from libs.bus.connection import (
    BROKER_AWAY,
    TIMEOUT_SECONDS,
    connect,
    declare_exchange,
    declare_queue,
    pause,
)
from libs.bus.topology import Exchange, Queue
from libs.chassis import context
from libs.chassis.logging import get_logger
from libs.chassis.metrics import PUBLISHED
from libs.errors import DependencyUnavailable


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish: body already serialized, its full proto name, its idempotency key."""

    routing_key: str
    body: bytes
    type: str
    message_id: str


def outgoing(routing_key: str, message: Message, message_id: str) -> Outgoing:
    """A proto message, ready to publish."""
    return Outgoing(
        routing_key, message.SerializeToString(), message.DESCRIPTOR.full_name, message_id
    )


class Publisher:
    """Publishes to one exchange. Waits out a broker that is away for up to `patience_seconds`.

    `queues` are declared too, so that a message published before its consumer first starts is kept.
    """

    def __init__(
        self, url: str, exchange: Exchange, name: str, queues: Sequence[Queue] = ()
    ) -> None:
        self._url = url
        self._exchange = exchange
        self._queues = tuple(queues)
        self._name = name
        self._lock = asyncio.Lock()
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._target: AbstractExchange | None = None

    async def publish(
        self, messages: Sequence[Outgoing], patience_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """Publish all and wait for every confirm. Raises DependencyUnavailable when patience ends.

        After a failure some may be with the broker already; publishing again repeats their
        `message_id`, which consumers know.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience_seconds
        for attempt in range(1_000_000):
            try:
                target = await self._ready()
                await asyncio.gather(*(self._one(target, message) for message in messages))
            except BROKER_AWAY as error:
                await self._drop()
                if loop.time() >= deadline:
                    raise DependencyUnavailable("the broker") from error
                get_logger().warning("publish_retried", exchange=self._exchange.name)
                await pause(attempt)
            else:
                PUBLISHED.labels(self._exchange.name).inc(len(messages))
                return

    async def depth(self, queue: Queue) -> int:
        """Messages in the queue that no consumer has. Raises DependencyUnavailable."""
        try:
            await self._ready()
            channel = self._channel
            if channel is None:
                raise ConnectionError
            declared = await channel.declare_queue(
                queue.name, passive=True, timeout=TIMEOUT_SECONDS
            )
        except BROKER_AWAY as error:
            await self._drop()
            raise DependencyUnavailable("the broker") from error
        return declared.declaration_result.message_count or 0

    async def _one(self, target: AbstractExchange, message: Outgoing) -> None:
        await target.publish(
            aio_pika.Message(
                message.body,
                type=message.type,
                message_id=message.message_id,
                headers=dict(context.headers()),
                content_type="application/protobuf",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            ),
            message.routing_key,
            mandatory=False,  # an event nobody listens to is no error
            timeout=TIMEOUT_SECONDS,
        )

    async def _ready(self) -> AbstractExchange:
        async with self._lock:
            if self._target is None or self._channel is None or self._channel.is_closed:
                await self._close()
                self._connection = await connect(self._url, self._name)
                self._channel = await self._connection.channel(publisher_confirms=True)
                target = await declare_exchange(self._channel, self._exchange)
                for queue in self._queues:
                    await declare_queue(self._channel, queue)
                self._target = target
            return self._target

    async def _drop(self) -> None:
        async with self._lock:
            await self._close()

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        self._channel = self._target = None
        if connection is not None:
            try:
                await connection.close()
            except BROKER_AWAY:
                get_logger().debug("broker_connection_lost")

    async def close(self) -> None:
        """Close the connection; every publish has been confirmed or refused before."""
        await self._drop()


async def open_publisher(
    url: str, exchange: Exchange, name: str, stack: AsyncExitStack, queues: Sequence[Queue] = ()
) -> Publisher:
    """A publisher that has reached the broker once, closed when the stack unwinds."""
    publisher = Publisher(url, exchange, name, queues)
    stack.push_async_callback(publisher.close)
    await publisher.publish((), patience_seconds=60.0)
    return publisher
