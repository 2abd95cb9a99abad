"""Consuming: messages one by one or in batches, acknowledged only after the handler is done.

A handler that fails is called again `ATTEMPTS` times, then its message is parked in the dead-letter
queue. While something it needs is away (database, broker, a peer) it is called again and again and
nothing is parked: waiting is not failing.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from libs.away import is_away
from libs.bus.connection import BROKER_AWAY, TIMEOUT_SECONDS, connect, declare_queue, pause
from libs.bus.topology import Queue
from libs.chassis import context
from libs.chassis.logging import get_logger
from libs.chassis.metrics import CONSUME_SECONDS, CONSUMED

ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message from a queue."""

    body: bytes
    type: str
    message_id: str
    redelivered: bool
    request_id: str


Handler = Callable[[Sequence[Delivery]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is taken at a time.

    `prefetch` unacknowledged messages, `concurrency` handler calls side by side, `batch_size`
    messages a handler call, waiting at most `linger_seconds` to fill it.
    """

    prefetch: int = 16
    concurrency: int = 1
    batch_size: int = 1
    linger_seconds: float = 0.02


class Consumer:
    """Feeds a handler from a queue until told to stop; survives every kind of broker failure."""

    def __init__(self, url: str, queue: Queue, handler: Handler, pace: Pace | None = None) -> None:
        self._url = url
        self._queue = queue
        self._handler = handler
        self._pace = pace or Pace()

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping` is set, then finish what is in hand."""
        attempt = 0
        while not stopping.is_set():
            started = time.monotonic()
            try:
                await self._session(stopping)
            except* BROKER_AWAY:
                get_logger().warning("consumer_reconnecting", queue=self._queue.name)
            attempt = 0 if time.monotonic() - started > 5 else attempt + 1
            if not stopping.is_set():
                await pause(min(attempt, 5), stopping)

    async def _session(self, stopping: asyncio.Event) -> None:
        connection = await connect(self._url, self._queue.name)
        try:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=self._pace.prefetch, timeout=TIMEOUT_SECONDS)
            queue = await declare_queue(channel, self._queue)
            incoming: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
            tag = await queue.consume(incoming.put, timeout=TIMEOUT_SECONDS)
            lost = asyncio.Event()
            connection.close_callbacks.add(lambda *_: lost.set())
            async with asyncio.TaskGroup() as group:
                halt = asyncio.Event()
                workers = [
                    group.create_task(self._worker(incoming, halt))
                    for _ in range(self._pace.concurrency)
                ]
                await _first(stopping, lost)
                halt.set()
                if not lost.is_set():
                    await _quietly(queue.cancel(tag))
                await asyncio.gather(*workers)
        finally:
            await _quietly(connection.close())

    async def _worker(
        self, incoming: asyncio.Queue[AbstractIncomingMessage], halt: asyncio.Event
    ) -> None:
        while not halt.is_set():
            batch = await _take(incoming, halt, self._pace)
            if batch:
                await self._handle(batch, halt)

    async def _handle(self, batch: Sequence[AbstractIncomingMessage], halt: asyncio.Event) -> None:
        started = time.perf_counter()
        deliveries = [_delivery(message) for message in batch]
        with context.call(deliveries[0].request_id):
            error = await self._attempts(deliveries, halt)
        CONSUME_SECONDS.labels(self._queue.name).observe(time.perf_counter() - started)
        if error is None:
            CONSUMED.labels(self._queue.name, "done").inc(len(batch))
            await _quietly(_acknowledge(batch))
        elif is_away(error) or isinstance(error, asyncio.CancelledError):
            return  # stopping while a dependency is away: the broker delivers it again
        elif len(batch) > 1:
            for message in batch:  # one of them is bad: find it
                await self._handle([message], halt)
        else:
            CONSUMED.labels(self._queue.name, "parked").inc()
            await _quietly(batch[0].reject(requeue=False))

    async def _attempts(
        self, deliveries: Sequence[Delivery], halt: asyncio.Event
    ) -> BaseException | None:
        failures = waits = 0
        while True:
            try:
                await self._handler(deliveries)
            except Exception as error:
                failed: Exception = error
            else:
                return None
            if is_away(failed):
                get_logger().warning(
                    "consumer_waiting", queue=self._queue.name, cause=type(failed).__name__
                )
                waits += 1
                await pause(min(waits, 5), halt)
                if halt.is_set():
                    return failed
            else:
                failures += 1
                get_logger().error(
                    "consumer_failed", queue=self._queue.name, attempt=failures, exc_info=failed
                )
                if failures >= ATTEMPTS:
                    return failed


def _delivery(message: AbstractIncomingMessage) -> Delivery:
    request_id = (message.headers or {}).get(context.REQUEST_ID, "")
    return Delivery(
        message.body,
        message.type or "",
        message.message_id or "",
        bool(message.redelivered),
        request_id if isinstance(request_id, str) else "",
    )


async def _take(
    incoming: asyncio.Queue[AbstractIncomingMessage], halt: asyncio.Event, pace: Pace
) -> list[AbstractIncomingMessage]:
    first = await _next(incoming, halt)
    if first is None:
        return []
    batch = [first]
    deadline = time.monotonic() + pace.linger_seconds
    while len(batch) < pace.batch_size:
        try:
            batch.append(incoming.get_nowait())
        except asyncio.QueueEmpty:
            left = deadline - time.monotonic()
            if left <= 0 or halt.is_set():
                break
            try:
                batch.append(await asyncio.wait_for(incoming.get(), left))
            except TimeoutError:
                break
    return batch


async def _next(
    incoming: asyncio.Queue[AbstractIncomingMessage], halt: asyncio.Event
) -> AbstractIncomingMessage | None:
    if not incoming.empty():
        return incoming.get_nowait()
    async with asyncio.TaskGroup() as group:
        got = group.create_task(incoming.get())
        halted = group.create_task(halt.wait())
        await asyncio.wait((got, halted), return_when=asyncio.FIRST_COMPLETED)
        got.cancel()
        halted.cancel()
    return got.result() if not got.cancelled() else None


async def _acknowledge(batch: Sequence[AbstractIncomingMessage]) -> None:
    for message in batch:
        await message.ack()


async def _first(*events: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(event.wait()) for event in events]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


async def _quietly(action: Awaitable[Any]) -> None:
    # The broker may be gone by now; what was not acknowledged comes again.
    try:
        await action
    except BROKER_AWAY:
        get_logger().debug("broker_connection_lost")


async def dead_letters(url: str, queue: Queue, most: int) -> list[bytes]:
    """Bodies of up to `most` parked messages, which stay parked."""
    connection = await connect(url, f"{queue.name}.inspection")
    async with connection:
        channel: AbstractChannel = await connection.channel()
        parked = await channel.get_queue(queue.dead)
        found: list[bytes] = []
        while len(found) < most:
            message = await parked.get(fail=False)
            if message is None:
                break
            found.append(message.body)  # never acknowledged: closing the channel puts it back
        return found
