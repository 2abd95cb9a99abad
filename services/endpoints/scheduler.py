"""The clock edge: looks for import jobs and sweeps that wait, and runs them."""

import asyncio
from contextlib import suppress
from typing import Final

from libs.away import is_away
from libs.chassis.logging import get_logger
from services.endpoints.usecases.imports import ImportRunner
from services.endpoints.usecases.removal import Removal

LOOK_SECONDS: Final = 1.0


class ImportLoop:
    """Runs jobs one after the other until told to stop."""

    def __init__(self, runner: ImportRunner) -> None:
        self._runner = runner
        self._awake = asyncio.Event()

    def wake(self) -> None:
        """Look at once: there is a new job."""
        self._awake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Look for jobs, every second or when woken, until stopping."""
        while not stopping.is_set():
            self._awake.clear()
            if not await self._step(stopping):
                await self._rest(stopping)

    async def _step(self, stopping: asyncio.Event) -> bool:
        try:
            return await self._runner.run_one(stopping)
        except Exception as error:
            if is_away(error):
                get_logger().warning("import_waiting", cause=type(error).__name__)
                return False  # its lease ends, and it goes on where it was
            get_logger().exception("import_crashed")
            await self._runner.fail("internal error; the service's log says more")
            return True

    async def _rest(self, stopping: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(LOOK_SECONDS), asyncio.TaskGroup() as group:
                waits = [group.create_task(e.wait()) for e in (stopping, self._awake)]
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for wait in waits:
                    wait.cancel()
        except TimeoutError:
            return


class RemovalLoop:
    """Sweeps removed attributes from what is stored, one application after the other."""

    def __init__(self, removal: Removal) -> None:
        self._removal = removal

    async def run(self, stopping: asyncio.Event) -> None:
        """Look every second until stopping; a sweep in hand ends with its page."""
        while not stopping.is_set():
            if not await self._step(stopping):
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)

    async def _step(self, stopping: asyncio.Event) -> bool:
        try:
            return await self._removal.run_one(stopping)
        except Exception as error:
            if is_away(error):
                get_logger().warning("removal_waiting", cause=type(error).__name__)
            else:
                get_logger().exception("removal_crashed")
            return False  # its lease ends, and it goes on where it was
