"""Dispatches: what they say, and what they may do at the moment."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from services.messaging.domain.dispatch import SETTLING, ContentRef, Control, Dispatch
from services.messaging.domain.ledger import Origin

INDEXES: Final[Indexes] = {
    "dispatches": (
        Index("dispatches_of_campaign", (("app_id", 1), ("campaign_id", 1))),
        # Only dispatches whose control was changed lately are in it.
        Index(
            "dispatches_settling",
            (("settle_time", 1),),
            partial={"settle_time": {"$exists": True}},
        ),
    )
}


class DispatchStore:
    """Dispatches by id."""

    def __init__(self, database: Database) -> None:
        self._dispatches = database["dispatches"]

    async def create(self, dispatch: Dispatch, now: datetime) -> Dispatch:
        """Keep a new dispatch; returns the one that is kept, which a repeat does not change."""
        try:
            await self._dispatches.insert_one(_document(dispatch, now))
        except DuplicateKeyError:
            found = await self._dispatches.find_one({"_id": dispatch.dispatch_id})
            return dispatch if found is None else _dispatch(found)
        return dispatch

    async def get(self, dispatch_id: str) -> Dispatch | None:
        """One dispatch; None when there is none of that id."""
        found = await self._dispatches.find_one({"_id": dispatch_id})
        return None if found is None else _dispatch(found)

    async def controls(self, dispatch_ids: Collection[str]) -> Mapping[str, Control]:
        """What dispatches may do now; ids without a dispatch are missing and may send."""
        found = self._dispatches.find({"_id": {"$in": list(dispatch_ids)}}, {"control": 1})
        return {d["_id"]: Control(d["control"]) for d in await found.to_list(None)}

    async def guard(self, dispatch_id: str) -> bool:
        """Note that a dispatch was stopped by itself; False when it was before."""
        done = await self._dispatches.update_one(
            {"_id": dispatch_id, "guarded": {"$ne": True}}, {"$set": {"guarded": True}}
        )
        return done.modified_count == 1

    async def on_hold(self, app_id: str) -> list[str]:
        """Ids of the dispatches of an application that are held themselves."""
        where = {"app_id": app_id, "control": Control.HOLD.value}
        found = self._dispatches.find(where, {"_id": 1})
        return [document["_id"] for document in await found.to_list(None)]

    async def of_campaign(self, app_id: str, campaign_id: str) -> list[str]:
        """Ids of the dispatches of a campaign."""
        found = self._dispatches.find({"app_id": app_id, "campaign_id": campaign_id}, {"_id": 1})
        return [document["_id"] for document in await found.to_list(None)]

    async def control(
        self, app_id: str, dispatch_id: str, control: Control, now: datetime
    ) -> Dispatch | None:
        """Set what a dispatch may do. CANCEL is for good; None when there is no such dispatch.

        Returns the dispatch as it is then. For a while after, `settling` tells of it.
        """
        where: Document = {"_id": dispatch_id, "app_id": app_id}
        if control is not Control.CANCEL:
            where["control"] = {"$ne": Control.CANCEL.value}
        change = {"control": control.value, "control_time": now, "settle_time": now}
        found: Document | None = await self._dispatches.find_one_and_update(
            where, {"$set": change}, return_document=ReturnDocument.AFTER
        )
        if found is None:
            found = await self._dispatches.find_one({"_id": dispatch_id, "app_id": app_id})
        return None if found is None else _dispatch(found)

    async def settling(self, now: datetime) -> list[Dispatch]:
        """Dispatches whose rows may not all have followed the last control yet."""
        found = self._dispatches.find({"settle_time": {"$lte": now}})
        return [_dispatch(document) for document in await found.to_list(None)]

    async def settled(self, dispatch: Dispatch, now: datetime) -> None:
        """Note that every row has followed, unless the control is too new to be sure."""
        await self._dispatches.update_one(
            {
                "_id": dispatch.dispatch_id,
                "control": dispatch.control.value,
                "control_time": {"$lt": now - SETTLING},
            },
            {"$unset": {"settle_time": 1}},
        )


def _document(dispatch: Dispatch, now: datetime) -> Document:
    return {
        "_id": dispatch.dispatch_id,
        "app_id": dispatch.origin.app_id,
        "campaign_id": dispatch.origin.campaign_id,
        "activity_id": dispatch.origin.activity_id,
        "request_id": dispatch.origin.request_id,
        "message_type": dispatch.message_type,
        "messages_per_second": dispatch.messages_per_second,
        "expire_time": dispatch.expire_time,
        "contents": _contents(dispatch.contents),
        "control": dispatch.control.value,
        "create_time": now,
    }


def _contents(contents: Sequence[ContentRef]) -> list[Document]:
    return [
        {
            "treatment_id": one.treatment_id,
            "channel_type": one.channel_type,
            "content_id": one.content_id,
            "parts": one.parts,
        }
        for one in contents
    ]


def _dispatch(document: Document) -> Dispatch:
    return Dispatch(
        document["_id"],
        Origin(
            document["app_id"],
            document["campaign_id"],
            document["activity_id"],
            document["request_id"],
        ),
        document["message_type"],
        document["messages_per_second"],
        document["expire_time"],
        tuple(ContentRef(**one) for one in document["contents"]),
        Control(document["control"]),
    )
