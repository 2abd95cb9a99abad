"""Batches that wait for their turn in a lane; read from the index `batches_waiting` alone."""

from collections.abc import Collection

from libs.mongo.client import Database
from services.messaging.domain.sharing import Waiting


class WaitingStore:
    """What waits. A batch stops waiting when it is marked as published."""

    def __init__(self, database: Database) -> None:
        self._batches = database["batches"]

    async def wait(self, batch_ids: Collection[str], lane: str) -> None:
        """Have batches wait. No clock looks at them before they were published."""
        await self._batches.update_many(
            {"_id": {"$in": list(batch_ids)}},
            {"$set": {"published": False, "waiting_lane": lane, "check_time": None}},
        )

    async def lanes(self) -> list[str]:
        """Lanes for which something waits."""
        found = await self._batches.distinct("waiting_lane", {"waiting_lane": {"$exists": True}})
        return [str(lane) for lane in found]

    async def applications(self, lane: str) -> list[str]:
        """Applications that have something waiting."""
        found = await self._batches.distinct("app_id", {"waiting_lane": lane})
        return [str(app_id) for app_id in found]

    async def count(self, lane: str, app_id: str = "") -> int:
        """Batches that wait: of all applications, or of one."""
        where = {"waiting_lane": lane, **({"app_id": app_id} if app_id else {})}
        return await self._batches.count_documents(where)

    async def next_of(self, lane: str, app_id: str, most: int) -> list[Waiting]:
        """The oldest batches of an application."""
        found = self._batches.find(
            {"waiting_lane": lane, "app_id": app_id}, {"size": 1}, hint="batches_waiting"
        )
        ordered = found.sort([("create_time", 1), ("_id", 1)]).limit(most)
        return [Waiting(one["_id"], one["size"]) for one in await ordered.to_list(None)]
