"""Holds by application and scope. One that was released stays until its rows have followed."""

from datetime import datetime
from typing import Final

from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from services.messaging.domain.dispatch import SETTLING
from services.messaging.domain.holds import Hold, Scope

INDEXES: Final[Indexes] = {
    "holds": (
        Index("holds_of_application", (("app_id", 1),)),
        Index(
            "holds_settling",
            (("release_time", 1),),
            partial={"release_time": {"$exists": True}},
        ),
    )
}
_IN_FORCE: Final[Document] = {"release_time": {"$exists": False}}


class HoldStore:
    """What is held."""

    def __init__(self, database: Database) -> None:
        self._holds = database["holds"]

    async def hold(self, app_id: str, scope: Scope, reason: str, now: datetime) -> Hold:
        """Put a hold in force; of one that is, only the reason changes."""
        key = _key(app_id, scope)
        known: Document | None = await self._holds.find_one_and_update(
            {"_id": key, **_IN_FORCE}, {"$set": {"reason": reason}}
        )
        made = Hold(app_id, scope, reason, known["hold_time"] if known else now)
        if known is None:
            await self._holds.replace_one({"_id": key}, _document(made), upsert=True)
        return made

    async def release(self, app_id: str, scope: Scope, now: datetime) -> Hold | None:
        """Let go on what is held; returns the hold as it was, None when there is none."""
        found: Document | None = await self._holds.find_one_and_update(
            {"_id": _key(app_id, scope), **_IN_FORCE}, {"$set": {"release_time": now}}
        )
        return None if found is None else _hold(found)

    async def of(self, app_id: str) -> list[Hold]:
        """What is held of an application, oldest first."""
        found = self._holds.find({"app_id": app_id, **_IN_FORCE}).sort("hold_time", 1)
        return [_hold(document) for document in await found.to_list(None)]

    async def settling(self) -> list[Hold]:
        """Holds that were released and whose rows may not all have followed yet."""
        found = self._holds.find({"release_time": {"$exists": True}})
        return [_hold(document) for document in await found.to_list(None)]

    async def settled(self, hold: Hold, now: datetime) -> None:
        """Forget a hold whose rows have followed, unless it was released too lately to be sure."""
        await self._holds.delete_one(
            {"_id": _key(hold.app_id, hold.scope), "release_time": {"$lt": now - SETTLING}}
        )


def _key(app_id: str, scope: Scope) -> str:
    return f"{app_id}/{scope.key}"


def _document(hold: Hold) -> Document:
    return {
        "app_id": hold.app_id,
        "channel_type": hold.scope.channel_type,
        "campaign_id": hold.scope.campaign_id,
        "reason": hold.reason,
        "hold_time": hold.hold_time,
    }


def _hold(document: Document) -> Hold:
    return Hold(
        document["app_id"],
        Scope(document["channel_type"], document["campaign_id"]),
        document["reason"],
        document["hold_time"],
        document.get("release_time"),
    )
