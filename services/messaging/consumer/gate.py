"""The claim gate: how many rows a worker process may have claimed and not resolved."""

import asyncio
from collections import deque


class ClaimGate:
    """Lends places in portions, `total` of them: what a worker that dies can leave UNKNOWN
    (architecture.md 4). Urgent borrowers go first, and `reserved` places are theirs.
    """

    def __init__(self, total: int, reserved: int = 0) -> None:
        self._free = total
        self._ordinary_left = total - reserved
        self._waiting: dict[bool, deque[tuple[int, asyncio.Future[int]]]] = {
            True: deque(),
            False: deque(),
        }

    async def take(self, most: int, *, urgent: bool) -> int:
        """Wait for one place at least; returns how many are lent, up to `most`."""
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[urgent].append((most, waiter))
        self._lend()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.give(waiter.result(), urgent=urgent)
            raise

    def give(self, count: int, *, urgent: bool) -> None:
        """Give places back once their rows are resolved."""
        self._free += count
        if not urgent:
            self._ordinary_left += count
        self._lend()

    def wants_back(self, *, urgent: bool) -> bool:
        """Whether a borrower should give its places back after the window at hand."""
        return not urgent and bool(self._waiting[True])

    def _lend(self) -> None:
        for urgent in (True, False):
            queue = self._waiting[urgent]
            while queue and (room := self._room(urgent=urgent)) > 0:
                most, waiter = queue.popleft()
                if waiter.done():
                    continue  # gave up
                count = min(most, room)
                self._free -= count
                if not urgent:
                    self._ordinary_left -= count
                waiter.set_result(count)
            if queue and urgent:
                return

    def _room(self, *, urgent: bool) -> int:
        return self._free if urgent else min(self._free, self._ordinary_left)
