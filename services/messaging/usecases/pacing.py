"""Pacing: hands a worker one slot after the other, each at its time by the server's clock.

A permit takes slots in small leases and reports with the next lease when it used them. A slot not
used within its grace is first put to a new time in the database, or dropped when that is not
possible. Without the database nothing is sent.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Self

from services.messaging.domain.limits import Admission, Limit, Slot, governing, whole_entries
from services.messaging.usecases.slot_source import SlotSource, SlotStore

WIRE_US = 1_000
"""Least time left of a slot's grace when it is used: the way from the permit to the wire."""


class Pacer:
    """The limiter of one process; all its permits share one view of the server's clock.

    An async context: it runs the reservations that permits make ahead of their need.
    """

    def __init__(self, store: SlotStore, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._source = SlotSource(store, monotonic)
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        # Permits end before their pacer and cancel what they started.
        await self._tasks.__aexit__(None, None, None)

    def acquire(self, limits: Sequence[Limit], parts: int) -> "Permit":
        """Return a permit for `parts` submissions that all of `limits` apply to.

        `limits` go from the narrowest scope to the widest: run, number, account. Take one permit
        for a batch: a permit for each message would cost one operation each.
        """
        lanes = [_Lane(self._source, self._tasks, limit) for limit in governing(limits)]
        return Permit(lanes, parts)

    async def try_acquire(self, limits: Sequence[Limit], parts: int) -> Admission:
        """Admit as many of `parts` direct parts as every limit has room for, without waiting.

        The rest is THROTTLED. What is admitted takes its slots from the same buckets as everything
        else when it is sent. Raises LimiterUnavailable.
        """
        admitted: list[tuple[Limit, Admission]] = []
        granted, wait = parts, 0
        for limit in limits:
            admission = await self._source.admit(limit, granted)
            if surplus := granted - admission.granted:
                for other, earlier in admitted:
                    await self._source.withdraw(other, earlier.step_at_us, surplus)
            granted, wait = admission.granted, max(wait, admission.retry_after_us)
            admitted.append((limit, admission))
        return Admission(granted, admitted[-1][1].step_at_us if admitted else 0, wait)


class _Lane:
    """The slots that a permit holds of one limit, next first."""

    def __init__(self, source: SlotSource, tasks: asyncio.TaskGroup, limit: Limit) -> None:
        self.source = source
        self._tasks = tasks
        self.limit = limit
        self.slots: deque[Slot] = deque()
        self._whole: frozenset[int] = frozenset()
        self._ahead: asyncio.Task[deque[Slot]] | None = None

    def fill_ahead(self, parts_left: int) -> None:
        """Ask for the next slots while the last ones are used: a slow database delays nothing."""
        if self._ahead is None and len(self.slots) <= self.limit.lease // 2:
            count = min(self.limit.lease, parts_left - len(self.slots))
            if count > 0 and not self.source.is_crowded(self.limit):
                reserved = self.source.reserve(self.limit, count, 0)
                self._ahead = self._tasks.create_task(reserved)

    async def fill(self, count: int, apart_us: int) -> None:
        ahead, self._ahead = self._ahead, None
        reserved = ahead or self.source.reserve(self.limit, count, apart_us)
        self.slots = await reserved
        self._whole = whole_entries(self.slots, self.limit)
        await self.source.read_clock(self.limit)

    def is_late(self, at_us: int) -> bool:
        """Say whether the next slot's grace is over at `at_us`."""
        return at_us > self.slots[0].at_us + self.limit.grace_us - WIRE_US

    async def move_to(self, to_us: int) -> None:
        """Move every slot before `to_us`; those that cannot be moved are dropped."""
        late = {slot.entry_us for slot in self.slots if slot.at_us < to_us}
        moved_to, moved = await self.source.move(self.limit, late, to_us)
        self._whole = frozenset(moved.get(entry, entry) for entry in self._whole)
        self.slots = deque(
            Slot(max(slot.at_us, moved_to), moved[slot.entry_us])
            if slot.entry_us in moved
            else slot
            for slot in self.slots
            if slot.entry_us in moved or slot.entry_us not in late
        )

    def use(self) -> Callable[[], None] | None:
        """Use the next slot now; returns what notes the time by which it was used.

        Only the last slot of a whole entry has something to note.
        """
        entry = self.slots.popleft().entry_us
        is_last = entry in self._whole and not any(s.entry_us == entry for s in self.slots)
        return partial(self.source.settle, self.limit, entry) if is_last else None

    async def release(self) -> None:
        """Give back what is unused."""
        if self._ahead is not None and self._ahead.done():
            self.slots.extend(self._ahead.result())
        elif self._ahead is not None:
            self._ahead.cancel()
        if unused := whole_entries(self.slots, self.limit):
            await self.source.release(self.limit, unused)
        self.slots.clear()
        self._tasks.create_task(self.source.report(self.limit))


class Permit:
    """Submissions, one at each `wait`; what is not used is given back at the end.

    async with pacer.acquire([run, number, account], parts=3) as permit:
        for part in parts:
            answered = await permit.wait()
            await submit(part)
            answered()
    """

    def __init__(self, lanes: list[_Lane], parts: int) -> None:
        self._lanes = lanes
        # Submissions may overlap: each waits its turn.
        self._turn = asyncio.Lock()
        self._is_open = True
        self._last: Callable[[], None] = _nothing
        self.parts_left = parts

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_open = False
        for lane in self._lanes:
            await lane.release()

    async def wait(self) -> Callable[[], None]:
        """Return when the next part may be submitted, at once.

        What is returned is to be called when the provider has answered: by then it had the part,
        and the window behind it begins. Until then the part counts at the end of its slot's grace.
        Waits while the database is away; the caller bounds it with a timeout. Raises ValueError
        when all parts of the permit are used.
        """
        async with self._turn:
            if self.parts_left < 1:
                raise ValueError("the permit's parts are used up")
            while not await self._is_due():
                pass
            notes = [note for lane in self._lanes if (note := lane.use()) is not None]
            self.parts_left -= 1
            self._last = partial(self._answered, notes)
            return self._last

    def sent(self) -> None:
        """Say of the last part what the answer of its `wait` says."""
        self._last()

    def _answered(self, notes: list[Callable[[], None]]) -> None:
        for note in notes:
            note()
        notes.clear()
        # Only now: the reservation carries the report, and the slot a second later depends on it.
        if self._is_open and self._lanes and self.parts_left:
            self._lanes[0].fill_ahead(self.parts_left)

    async def _is_due(self) -> bool:
        """Wait for one slot of every limit; False when some had to be moved."""
        if not self._lanes:
            return True
        await self._fill()
        source = self._lanes[0].source
        target = max(lane.slots[0].at_us for lane in self._lanes)
        behind = [lane for lane in self._lanes if lane.is_late(target)]
        if not behind:
            await source.sleep_until(target)
            now = source.clock.server_us()
            behind = [lane for lane in self._lanes if lane.is_late(now)]
            target = now + source.lead_us() * len(behind)
        for lane in behind:
            await lane.move_to(target)
        return not behind

    async def _fill(self) -> None:
        """Hold a slot of every limit: a wider limit's only when the narrower slot is near."""
        narrow: _Lane | None = None
        for lane in self._lanes:
            count, apart = min(lane.limit.lease, self.parts_left), 0
            if narrow is not None and not lane.slots:
                await lane.source.sleep_until(narrow.slots[0].at_us - lane.source.lead_us())
                count, apart = min(count, len(narrow.slots)), narrow.limit.spacing_us
            if not lane.slots:
                await lane.fill(count, apart)
            narrow = lane


def _nothing() -> None:
    """No part yet."""
