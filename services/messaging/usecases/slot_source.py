"""Slots from the database: asked for one at a time, reported back, and timed by its clock."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import ParamSpec, Protocol, TypeVar

from services.messaging.domain.limits import (
    Admission,
    Ask,
    Limit,
    LimiterUnavailable,
    Reservation,
    Slot,
)
from services.messaging.usecases.server_clock import ServerClock

T = TypeVar("T")
P = ParamSpec("P")
MAX_WIDTH_US = 4_000
"""The server's clock must be known this well before a slot is used."""
MAX_LEAD_US = 20_000
CALL_TIMEOUT_SECONDS = 1.0
RETRY_SECONDS = 0.25
CLOCK_READ_SECONDS = 0.01
MAX_SHARES = 1_000
REPORT_SHARE = 0.05
"""Part of the window after which used slots are reported by themselves."""


class SlotStore(Protocol):
    """The database's side of the limits; `store.limits.LimitStore` is the one for MongoDB."""

    async def reserve(self, limit: Limit, ask: Ask) -> Reservation: ...
    async def move(
        self, limit: Limit, entries: Collection[int], not_before_us: int, lead_us: int
    ) -> tuple[int, int, dict[int, int]]: ...
    async def release(self, limit: Limit, entries: Collection[int]) -> None: ...
    async def settle(self, limit: Limit, settled: Collection[tuple[int, int]]) -> None: ...
    async def admit(self, limit: Limit, count: int) -> Admission: ...
    async def withdraw(self, limit: Limit, step_at_us: int, count: int) -> None: ...
    async def server_now(self, limit: Limit) -> int | None: ...


class _Share:
    """This process's part in one limit: one asker at a time, and what is to be reported."""

    def __init__(self) -> None:
        # One asker for each limit in a process: shares stay fair, and waiting costs no polling.
        self.asking = asyncio.Lock()
        self.settled: dict[int, int] = {}
        self.is_crowded = False
        self.is_reporting = False

    def is_idle(self) -> bool:
        return not (self.asking.locked() or self.is_reporting)

    def take_settled(self) -> tuple[tuple[int, int], ...]:
        # Reported once: after a failure the entry may already mean another slot.
        settled, self.settled = tuple(self.settled.items()), {}
        return settled


class SlotSource:
    """What the permits of one process share: the store, its clock, and this process's reports."""

    def __init__(self, store: SlotStore, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._shares: dict[str, _Share] = {}
        self.clock = ServerClock(monotonic)

    async def reserve(self, limit: Limit, count: int, apart_us: int) -> deque[Slot]:
        """Wait until the limit grants slots: at least one, at most `count`."""
        share = self._share(limit)
        async with share.asking:
            while True:
                if share.is_crowded:
                    count = min(count, max(1, limit.lease // 2))
                granted = await _patiently(self._reserve, limit, count, apart_us)
                share.is_crowded = granted.is_crowded(limit)
                if granted.slots:
                    return deque(granted.slots)
                await self.sleep_until(granted.retry_at_us)

    def is_crowded(self, limit: Limit) -> bool:
        """Say whether others hold so many slots that none should be asked for ahead of need."""
        return self._share(limit).is_crowded

    async def move(
        self, limit: Limit, entries: Collection[int], to_us: int
    ) -> tuple[int, dict[int, int]]:
        """Put late entries to `to_us` or a little later; returns that time and the new entries."""
        return await _patiently(self._move, limit, entries, to_us)

    async def release(self, limit: Limit, entries: Collection[int]) -> None:
        """Give back unused entries; without the database they are lost, which is safe."""
        with suppress(LimiterUnavailable):
            await _bounded(self._store.release(limit, entries))

    def settle(self, limit: Limit, entry_us: int) -> None:
        """Note that the entry's last slot is used by now; an entry counts from its first."""
        began_us = self.clock.server_us() - (limit.unit - 1) * limit.spacing_us
        self._share(limit).settled[entry_us] = began_us

    async def report(self, limit: Limit) -> None:
        """Report used slots that no reservation of this process reports soon.

        Unreported ones count at the end of their grace, which their successors would wait for.
        """
        share = self._share(limit)
        if not share.settled or share.is_reporting:
            return
        share.is_reporting = True
        await asyncio.sleep(limit.window_seconds * REPORT_SHARE)
        share.is_reporting = False
        if settled := share.take_settled():
            with suppress(LimiterUnavailable):
                await _bounded(self._store.settle(limit, settled))

    def lead_us(self) -> int:
        """Return the time a reply needs to arrive: slots before that would be late."""
        return min(int(self.clock.round_trip_us), MAX_LEAD_US)

    async def admit(self, limit: Limit, count: int) -> Admission:
        return await _bounded(self._store.admit(limit, count))

    async def withdraw(self, limit: Limit, step_at_us: int, count: int) -> None:
        await _bounded(self._store.withdraw(limit, step_at_us, count))

    async def sleep_until(self, server_us: int) -> None:
        while (due := self.clock.due_in_us(server_us)) > 0:  # noqa: ASYNC110 - a time, no event
            await asyncio.sleep(due / 1e6)

    async def read_clock(self, limit: Limit) -> None:
        """Ask for the server's time until it is known well enough."""
        while self.clock.width_us() > MAX_WIDTH_US:
            await _patiently(self._read_clock, limit)
            # Another moment, another scheduling: a busy machine's replies are slow in spells.
            await asyncio.sleep(random.uniform(0, CLOCK_READ_SECONDS))

    def _share(self, limit: Limit) -> _Share:
        if len(self._shares) > MAX_SHARES:
            self._shares = {k: s for k, s in self._shares.items() if not s.is_idle()}
        return self._shares.setdefault(limit.key, _Share())

    async def _reserve(self, limit: Limit, count: int, apart_us: int) -> Reservation:
        settled = self._share(limit).take_settled()
        ask = Ask(count, self.lead_us(), apart_us, settled)
        sent = self.clock.local_us()
        granted = await _bounded(self._store.reserve(limit, ask))
        self.clock.observe(sent, self.clock.local_us(), granted.now_us)
        return granted

    async def _move(
        self, limit: Limit, entries: Collection[int], to_us: int
    ) -> tuple[int, dict[int, int]]:
        sent = self.clock.local_us()
        call = self._store.move(limit, entries, to_us, self.lead_us())
        now, moved_to, moved = await _bounded(call)
        if now:
            self.clock.observe(sent, self.clock.local_us(), now)
        return moved_to, moved

    async def _read_clock(self, limit: Limit) -> None:
        sent = self.clock.local_us()
        now = await _bounded(self._store.server_now(limit))
        if now is not None:
            self.clock.observe(sent, self.clock.local_us(), now)


async def _bounded(call: Awaitable[T]) -> T:
    """Await a store's call for at most a second; raises LimiterUnavailable."""
    try:
        async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
            return await call
    except TimeoutError as error:
        raise LimiterUnavailable("the database did not answer in time") from error


async def _patiently(call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Repeat a store's call until the database answers."""
    while True:
        try:
            return await call(*args, **kwargs)
        except LimiterUnavailable:
            await asyncio.sleep(RETRY_SECONDS * random.uniform(0.5, 1.0))
