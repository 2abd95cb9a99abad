"""Publishing hits in groups, without letting visitors wait for the broker."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from libs.chassis.logging import get_logger
from libs.errors import DependencyUnavailable
from services.links.domain import Hit

Publish = Callable[[Sequence[Hit]], Awaitable[None]]

# What is published at a time.
_MOST_AT_ONCE: Final = 5000
# Hits that come together go out together.
_GATHER_SECONDS: Final = 0.01


class HitRecorder:
    """Keeps hits in memory until the broker has them; the oldest are lost above `most`.

    A visitor never waits. Hits are held while the broker is away and published when it is back.
    """

    def __init__(self, publish: Publish, most: int) -> None:
        self._publish = publish
        self._waiting: deque[Hit] = deque()
        self._most = most
        self._some = asyncio.Event()
        self._lost = 0

    @property
    def waiting(self) -> int:
        """Hits the broker does not have yet."""
        return len(self._waiting)

    def add(self, hit: Hit) -> None:
        """Take one hit; it is published soon."""
        if len(self._waiting) >= self._most:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(hit)
        self._some.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until told to stop, then once more what is left."""
        async with asyncio.TaskGroup() as group:
            loop = group.create_task(self._loop())
            await stopping.wait()
            loop.cancel()
        await self._last()

    async def _loop(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            await self._flush()

    async def _flush(self) -> None:
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
        published = False
        try:
            await self._publish(taken)
            published = True
        except DependencyUnavailable:
            get_logger().warning("hits_retained", count=len(taken) + len(self._waiting))
        finally:
            if not published:  # cancelled or refused: the ids make a second publish harmless
                self._waiting.extendleft(reversed(taken))
        if not self._waiting:
            self._some.clear()
        self._tell_lost()

    async def _last(self) -> None:
        while self._waiting:
            before = len(self._waiting)
            await self._flush()
            if len(self._waiting) >= before:
                get_logger().error("hits_lost", count=before)
                return

    def _tell_lost(self) -> None:
        if self._lost:
            get_logger().error("hits_lost", count=self._lost)
            self._lost = 0
