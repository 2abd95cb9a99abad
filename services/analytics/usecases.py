"""Publishing what many calls bring in few messages, and storing what arrives exactly once."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from libs.chassis import context
from libs.errors import DependencyUnavailable
from services.analytics.domain.counting import Fact, Record, marks_of, tally
from services.analytics.store.events import EventStore

Publish = Callable[[Sequence[tuple[str, bytes]]], Awaitable[None]]

# Events are stored in transactions of this size: the cost of a transaction is spread, its locks
# and its share of the log stay small.
_TRANSACTION_EVENTS: Final = 2000
_ATTEMPTS: Final = 20
# Conflicts that last longer than this are with a writer that may be dead.
_PATIENT_ATTEMPTS: Final = 5


class GroupCommit:
    """Collects what concurrent calls publish, and publishes it together.

    No timer: a call that comes alone is published at once; calls that come while the broker is
    busy go out together, so that load makes messages bigger instead of more.
    """

    def __init__(self, publish: Publish, tasks: asyncio.TaskGroup) -> None:
        self._publish = publish
        self._tasks = tasks
        self._waiting: list[tuple[str, bytes, asyncio.Future[None]]] = []
        self._draining = False

    async def publish(self, app_id: str, body: bytes) -> None:
        """Returns once the broker has it. Raises DependencyUnavailable."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((app_id, body, done))
        if not self._draining:
            self._draining = True
            self._tasks.create_task(self._drain())
        await done

    async def _drain(self) -> None:
        # What goes out belongs to many calls: no single one's id is put on it.
        with context.call(""):
            try:
                while self._waiting:
                    taken, self._waiting = self._waiting, []
                    await self._commit(taken)
            finally:
                self._draining = False

    async def _commit(self, taken: Sequence[tuple[str, bytes, asyncio.Future[None]]]) -> None:
        failed: Exception | None = None
        try:
            await self._publish([(app_id, body) for app_id, body, _ in taken])
        except Exception as error:
            failed = error
        for _, _, done in taken:
            if done.done():  # its caller went away
                continue
            if failed is None:
                done.set_result(None)
            else:
                done.set_exception(failed)


class Recorder:
    """Stores and counts events exactly once, however often and in whatever batches they come."""

    def __init__(self, store: EventStore, side_by_side: int) -> None:
        self._store = store
        # Writers of one process never share counters; those of two processes rarely do, and then
        # one of them repeats its transaction.
        self._slots: asyncio.Queue[int] = asyncio.Queue()
        first = random.randrange(0, 64)
        for slot in range(first, first + side_by_side):
            self._slots.put_nowait(slot % 64)

    async def record(self, records: Iterable[Record]) -> None:
        """Returns once every record is stored. Raises DependencyUnavailable."""
        distinct = list({record.record_id: record for record in records}.values())
        for start in range(0, len(distinct), _TRANSACTION_EVENTS):
            await self._record(distinct[start : start + _TRANSACTION_EVENTS])

    async def _record(self, records: Sequence[Record]) -> None:
        slot = await self._slots.get()
        try:
            for attempt in range(_ATTEMPTS):
                # Repeats are rare, and a store that has one refuses it: only then is it looked up.
                if await self._attempt(records, slot, look=attempt > 0):
                    return
                if attempt >= _PATIENT_ATTEMPTS:
                    await self._store.end_abandoned()
                await asyncio.sleep(0.005 * (attempt + 1) * random.uniform(0.5, 1.0))
        finally:
            self._slots.put_nowait(slot)
        raise DependencyUnavailable("the event store")

    async def _attempt(self, records: Sequence[Record], slot: int, *, look: bool) -> bool:
        new = await self._unknown(records) if look else records
        if not new:
            return True
        facts: list[Fact] = [record.fact for record in new]
        marks = marks_of(facts)
        marks -= await self._store.known_marks(marks)
        return await self._store.add(new, marks, tally(facts, marks), slot)

    async def _unknown(self, records: Sequence[Record]) -> list[Record]:
        known = await self._store.known_events([record.record_id for record in records])
        return [record for record in records if record.record_id not in known]
