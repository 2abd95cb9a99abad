"""Doing things after a delay: receipts, bounces, opens and replies, a bounded number at once."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import structlog

log = structlog.get_logger(__name__)

Job = Callable[[], Awaitable[None]]


class Later:
    """An async context with a fixed number of workers; what is not due at its end is dropped.

    A job that raises is logged by the type of its error and counted in `failed`.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._due: asyncio.Queue[Job] = asyncio.Queue()
        self._tasks = asyncio.TaskGroup()
        self._running: list[asyncio.Task[None]] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self.failed = 0
        self.done = 0

    @property
    def waiting(self) -> int:
        """How many jobs have not started yet."""
        return self._due.qsize() + len(self._timers)

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._running = [self._tasks.create_task(self._work()) for _ in range(self._workers)]
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.forget()
        for task in self._running:
            task.cancel()
        await self._tasks.__aexit__(None, None, None)

    def forget(self) -> None:
        """Drop everything that has not started."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        while not self._due.empty():
            self._due.get_nowait()

    def call(self, delay_ms: float, action: Callable[[], None]) -> None:
        """Run a quick, non-blocking action after the delay."""
        loop = asyncio.get_running_loop()

        def fire() -> None:
            self._timers.discard(timer)
            action()

        timer = loop.call_later(delay_ms / 1000, fire)
        self._timers.add(timer)

    def start(self, delay_ms: float, job: Job) -> None:
        """Run an awaitable job after the delay, as soon as a worker is free."""
        self.call(delay_ms, lambda: self._due.put_nowait(job))

    async def _work(self) -> None:
        while True:
            job = await self._due.get()
            try:
                await job()
                self.done += 1
            except Exception as error:
                # Texts of these errors may hold addresses and links of recipients.
                log.warning("reaction_failed", error=type(error).__name__)
                self.failed += 1
