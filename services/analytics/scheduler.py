"""The clock edge: deletes every hour what is older than any figure may ask for."""

import asyncio
from typing import Final

from libs.away import is_away
from libs.chassis.logging import get_logger
from libs.clock import Clock
from services.analytics.store.retention import Retention

PERIOD_SECONDS: Final = 3600.0


class Purging:
    """Purges at the start and every hour; every replica may, as deleting twice does no harm."""

    def __init__(self, retention: Retention, clock: Clock) -> None:
        self._retention = retention
        self._clock = clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Purge until stopping; what is left then is purged after the next start."""
        while not stopping.is_set():
            try:
                await self._purge(stopping)
            except Exception as error:
                if is_away(error):
                    get_logger().warning("purge_waiting", cause=type(error).__name__)
                else:  # events are taken in without it; the next hour tries again
                    get_logger().exception("purge_failed")
            await _wait(stopping, PERIOD_SECONDS)

    async def _purge(self, stopping: asyncio.Event) -> None:
        now, events, counters = self._clock.now(), 0, 0
        for app_id in await self._retention.applications():
            while not stopping.is_set() and (
                gone := await self._retention.purge_events(app_id, now)
            ):
                events += gone
            counters += await self._retention.purge_counters(app_id, now)
        if events or counters:
            get_logger().info("events_purged", events=events, counters=counters)


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return
