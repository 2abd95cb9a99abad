"""What gateways share about lanes: who shares one out, what applications had, and their weights."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from libs.mongo.client import Database, Document
from services.messaging.domain.sharing import LEAST_DEPTH

LEASE: Final = timedelta(seconds=4)
"""How long a gateway that died keeps a lane from the others."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A lane in a gateway's hands: what it may hold, and what applications had of it."""

    most: int
    passes: Mapping[str, int]


class LaneStore:
    """Lanes and weights."""

    def __init__(self, database: Database) -> None:
        self._lanes = database["lanes"]
        self._weights = database["weights"]

    async def take(self, lane: str, holder: str, now: datetime) -> Turn | None:
        """Take a lane, or keep it; None while another gateway has it."""
        free: Document = {"$or": [{"holder": holder}, {"lease_time": {"$lte": now}}]}
        try:
            found: Document = await self._lanes.find_one_and_update(
                {"_id": lane, **free},
                {"$set": {"holder": holder, "lease_time": now + LEASE}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:
            return None
        return Turn(found.get("most", LEAST_DEPTH), found.get("passes", {}))

    async def keep(self, lane: str, holder: str, turn: Turn) -> None:
        """Note what a gateway did with a lane that is still its own."""
        await self._lanes.update_one(
            {"_id": lane, "holder": holder},
            {"$set": {"most": turn.most, "passes": dict(turn.passes)}},
        )

    async def most(self, lane: str) -> int:
        """Batches that a lane's queue may hold."""
        found = await self._lanes.find_one({"_id": lane}, {"most": 1})
        return LEAST_DEPTH if found is None else found.get("most", LEAST_DEPTH)

    async def weigh(self, app_id: str, weight: int, now: datetime) -> None:
        """Keep an application's weight."""
        await self._weights.update_one(
            {"_id": app_id},
            {"$set": {"app_id": app_id, "weight": weight, "update_time": now}},
            upsert=True,
        )

    async def weights(self, app_ids: Collection[str]) -> dict[str, int]:
        """The weights of those that have one."""
        found = self._weights.find({"_id": {"$in": list(app_ids)}})
        return {one["_id"]: one["weight"] for one in await found.to_list(None)}
