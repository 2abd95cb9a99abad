"""Deletes events and counters that no figure goes back to (spec 10.7)."""

from datetime import datetime, timedelta
from typing import Any, Final

from libs.mongo.client import Database
from services.analytics.domain.counting import DAY_SECONDS
from services.analytics.domain.ranges import FURTHEST_BACK
from services.analytics.store.schema import APPLICATION_TIME

# The day more: the day on which the oldest figure begins stays whole, and an event that was only
# just young enough to be taken in is still known when it is repeated within 24 h (spec 3.1).
KEPT: Final = FURTHEST_BACK + timedelta(days=1)
_AT_A_TIME: Final = 2000


class Retention:
    """What is too old; deleting it again, or by several processes side by side, does no harm."""

    def __init__(self, database: Database) -> None:
        self._events = database["events"]
        self._counters = database["counters"]

    async def applications(self) -> list[str]:
        """The applications that have events or counters."""
        found = {*await self._events.distinct("app_id"), *await self._counters.distinct("app_id")}
        return sorted(found)

    async def purge_events(self, app_id: str, now: datetime) -> int:
        """Delete some of an application's old events; returns how many, 0 when none is left."""
        old: dict[str, Any] = {"app_id": app_id, "event_time": {"$lt": now - KEPT}}
        # Ids are read from the index alone; small deletes keep no other writer waiting.
        cursor = self._events.find(old, {"_id": 1}).hint(APPLICATION_TIME).limit(_AT_A_TIME)
        ids = [document["_id"] async for document in cursor]
        if ids:
            await self._events.delete_many({"_id": {"$in": ids}})
        return len(ids)

    async def purge_counters(self, app_id: str, now: datetime) -> int:
        """Delete an application's old counters; returns how many. They are few: sums of days."""
        first_kept = int((now - KEPT).timestamp()) // DAY_SECONDS
        gone = await self._counters.delete_many({"app_id": app_id, "day": {"$lt": first_kept}})
        return int(gone.deleted_count)
