"""The clock edge: looks for export jobs that wait, and runs them."""

import asyncio
from typing import Final

from libs.away import is_away
from libs.chassis.logging import get_logger
from services.segmentation.usecases.exports import Exports

LOOK_SECONDS: Final = 1.0


class ExportLoop:
    """Runs jobs one after the other until told to stop."""

    def __init__(self, exports: Exports) -> None:
        self._exports = exports

    async def run(self, stopping: asyncio.Event) -> None:
        """Look for jobs every second until stopping; one in hand is given back at its next file."""
        while not stopping.is_set():
            if not await self._step(stopping):
                await _rest(stopping)

    async def _step(self, stopping: asyncio.Event) -> bool:
        try:
            return await self._exports.run_one(stopping)
        except Exception as error:
            if is_away(error):
                get_logger().warning("export_waiting", cause=type(error).__name__)
                return False  # its lease ends, and it goes on where it was
            get_logger().exception("export_crashed")
            await self._exports.fail("internal error; the service's log says more")
            return True


async def _rest(stopping: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)
    except TimeoutError:
        return
