"""Contents by the hash of what they say: immutable, so that whoever has one may keep it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from pymongo import UpdateOne

from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes

INDEXES: Final[Indexes] = {
    "contents": (
        Index("contents_deleted", (("delete_time", 1),), expire_after_seconds=0),
        Index("contents_of_application", (("app_id", 1),)),
    )
}


class ContentStore:
    """Serialized `MessageContent` by id."""

    def __init__(self, database: Database) -> None:
        self._contents = database["contents"]

    async def keep(self, app_id: str, bodies: Mapping[str, bytes], until: datetime) -> None:
        """Keep contents at least until then; those that are there live on, at least as long."""
        writes = [
            UpdateOne({"_id": content_id}, _kept(app_id, body, until), upsert=True)
            for content_id, body in bodies.items()
        ]
        if writes:
            await self._contents.bulk_write(writes, ordered=False)

    async def get(self, content_id: str) -> bytes | None:
        """What a content says; None when it is not kept any more."""
        found = await self._contents.find_one({"_id": content_id}, {"body": 1})
        return None if found is None else bytes(found["body"])

    async def of(self, content_ids: Sequence[str]) -> Mapping[str, bytes]:
        """Contents by id; those not kept any more are missing."""
        found = self._contents.find({"_id": {"$in": list(content_ids)}}, {"body": 1})
        return {document["_id"]: bytes(document["body"]) for document in await found.to_list(None)}


def _kept(app_id: str, body: bytes, until: datetime) -> Document:
    return {
        "$setOnInsert": {"app_id": app_id, "body": body},
        "$max": {"delete_time": until},
    }
