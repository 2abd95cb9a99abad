"""Complaints by message, so that one that is told twice counts once."""

from datetime import datetime
from typing import Final

from libs.mongo.client import Database
from libs.mongo.indexes import Index, Indexes
from services.messaging.domain.ledger import Row

KEPT_SECONDS: Final = 30 * 24 * 3600
INDEXES: Final[Indexes] = {
    "complaints": (
        Index("complaints_of_dispatch", (("dispatch_id", 1),)),
        Index("complaints_of_application", (("app_id", 1),)),
        Index("complaints_deleted", (("complain_time", 1),), expire_after_seconds=KEPT_SECONDS),
    )
}


class ComplaintStore:
    """Who complained of what."""

    def __init__(self, database: Database) -> None:
        self._complaints = database["complaints"]

    async def add(self, row: Row, now: datetime) -> None:
        """Note a complaint."""
        told = {"app_id": row.origin.app_id, "dispatch_id": row.dispatch_id}
        await self._complaints.update_one(
            {"_id": row.message_id}, {"$setOnInsert": {**told, "complain_time": now}}, upsert=True
        )

    async def count(self, dispatch_id: str) -> int:
        """How many messages of a dispatch were complained of."""
        return await self._complaints.count_documents({"dispatch_id": dispatch_id})
