"""Send batches until all their messages are final: the outbox, and what is fed again is cut from.

`check_time` is when the gateway's clock looks at a batch next. A batch that was published is
looked at again too: its rows may wait while the broker has lost it.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from libs.ids import new_id
from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from services.messaging.domain.batches import Batch, DeadBatch

UNREADABLE_SECONDS: Final = 30 * 24 * 3600
INDEXES: Final[Indexes] = {
    "batches": (
        Index(
            "batches_checked",
            (("published", 1), ("channel_type", 1), ("message_type", 1), ("check_time", 1)),
        ),
        Index(
            "batches_waiting",
            (
                ("waiting_lane", 1),
                ("app_id", 1),
                ("create_time", 1),
                ("_id", 1),
                ("size", 1),
            ),
            partial={"waiting_lane": {"$exists": True}},
        ),
        Index("batches_expiring", (("expire_time", 1),), partial={"expired": False}),
        Index("batches_of_application", (("app_id", 1),)),
        Index(
            "batches_dead",
            (("app_id", 1), ("death_time", 1), ("_id", 1)),
            partial={"death_time": {"$exists": True}},
        ),
    ),
    "unreadable": (
        Index("unreadable_deleted", (("death_time", 1),), expire_after_seconds=UNREADABLE_SECONDS),
    ),
}
PUBLISH_AGAIN: Final = timedelta(seconds=5)
"""How long the call that made a batch may take to publish it before the clock does."""
PUBLISH_LEASE: Final = timedelta(seconds=20)
"""How long a gateway's clock may publish what it took; it gives back what it does not manage."""
FIRST_CHECK: Final = timedelta(seconds=60)
LAST_CHECK: Final = timedelta(hours=1)
_DUPLICATE_KEY: Final = 11000


class BatchStore:
    """The outbox."""

    def __init__(self, database: Database) -> None:
        self._batches = database["batches"]
        self._unreadable = database["unreadable"]

    async def insert(self, batches: Sequence[Batch]) -> Mapping[str, bool]:
        """Keep new batches; returns, for those there already, whether they are published."""
        if not batches:
            return {}
        try:
            await self._batches.insert_many([_document(one) for one in batches], ordered=False)
        except BulkWriteError as error:
            if any(fault["code"] != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
                raise
            known = [batches[fault["index"]].batch_id for fault in error.details["writeErrors"]]
            found = self._batches.find({"_id": {"$in": known}}, {"published": 1})
            return {d["_id"]: d["published"] for d in await found.to_list(None)}
        return {}

    async def mark_published(self, batch_ids: Collection[str], now: datetime) -> None:
        """Note that the broker has them."""
        await self._batches.update_many(
            {"_id": {"$in": list(batch_ids)}},
            {
                "$set": {"published": True, "check_time": now + FIRST_CHECK},
                "$unset": {"waiting_lane": 1},
            },
        )

    async def replace(self, bodies: Mapping[str, bytes]) -> None:
        """Put smaller bodies in place of those that held recipients of other batches."""
        if bodies:
            await self._batches.bulk_write(
                [UpdateOne({"_id": key}, {"$set": {"body": body}}) for key, body in bodies.items()],
                ordered=False,
            )

    async def remove(self, batch_ids: Collection[str]) -> None:
        """Forget batches of which nothing can be sent any more."""
        if batch_ids:
            await self._batches.delete_many({"_id": {"$in": list(batch_ids)}})

    async def get(self, batch_ids: Collection[str]) -> list[Batch]:
        """The batches that are still kept."""
        found = await self._batches.find({"_id": {"$in": list(batch_ids)}}).to_list(None)
        return [_batch(document) for document in found]

    async def reopen(self, batch_ids: Collection[str], now: datetime) -> None:
        """Note that rows of batches are about to be fed again: the outbox owes them once more."""
        await self._batches.update_many(
            {"_id": {"$in": list(batch_ids)}},
            {"$set": {"published": False, "check_time": now + PUBLISH_AGAIN}},
        )

    async def take_unpublished(self, now: datetime, most: int) -> list[Batch]:
        """Take batches that nobody published in time; no other gateway gets them meanwhile."""
        where: Document = {"published": False, "check_time": {"$lte": now}}
        return await self._take(where, now + PUBLISH_LEASE, most)

    async def publish_later(self, batch_ids: Collection[str], at: datetime) -> None:
        """Give back batches that were taken and are still not published."""
        if batch_ids:
            await self._batches.update_many(
                {"_id": {"$in": list(batch_ids)}, "published": False},
                {"$set": {"check_time": at}},
            )

    async def take_published(
        self, channel_type: str, message_type: str, now: datetime, most: int
    ) -> list[Batch]:
        """Take batches of a lane that are to be looked at; nobody else gets them for a minute."""
        where: Document = {
            "published": True,
            "channel_type": channel_type,
            "message_type": message_type,
            "check_time": {"$lte": now},
            # What kills workers waits for an operator.
            "death_time": {"$exists": False},
        }
        return await self._take(where, now + FIRST_CHECK, most)

    async def _take(self, where: Document, until: datetime, most: int) -> list[Batch]:
        found = await self._batches.find(where, {"_id": 1}).limit(most).to_list(None)
        ids, token = [document["_id"] for document in found], new_id()
        if not ids:
            return []
        await self._batches.update_many(
            {"_id": {"$in": ids}, **where},
            {"$set": {"check_time": until, "checker": token}},
        )
        ours = await self._batches.find({"_id": {"$in": ids}, "checker": token}).to_list(None)
        return [_batch(document) for document in ours]

    async def channels(self) -> frozenset[str]:
        """Channels of the batches that were published; read from the index alone."""
        return frozenset(await self._batches.distinct("channel_type", {"published": True}))

    async def bury(self, batch_id: str, now: datetime) -> bool:
        """Note that no worker could handle a batch; False when it is not kept any more."""
        done = await self._batches.update_one({"_id": batch_id}, {"$set": {"death_time": now}})
        return done.matched_count == 1

    async def revive(self, batch_ids: Collection[str], now: datetime) -> None:
        """Note that dead batches are in their lanes again."""
        await self._batches.update_many(
            {"_id": {"$in": list(batch_ids)}},
            {"$unset": {"death_time": 1}, "$set": {"check_time": now + FIRST_CHECK}},
        )

    async def dead_of(self, app_id: str, batch_ids: Collection[str]) -> list[DeadBatch]:
        """Dead batches of an application: these, or all when none is named."""
        where: Document = {"app_id": app_id, "death_time": {"$exists": True}}
        if batch_ids:
            where["_id"] = {"$in": list(batch_ids)}
        return [_dead(one) for one in await self._batches.find(where).to_list(None)]

    async def dead_page(
        self, app_id: str, channel_type: str, after: Sequence[Any] | None, size: int
    ) -> list[DeadBatch]:
        """A page of the dead batches of an application, oldest first, after (death time, id)."""
        where: Document = {"app_id": app_id, "death_time": {"$exists": True}}
        if channel_type:
            where["channel_type"] = channel_type
        if after is not None:
            where["$or"] = [
                {"death_time": {"$gt": after[0]}},
                {"death_time": after[0], "_id": {"$gt": after[1]}},
            ]
        found = self._batches.find(where, hint="batches_dead")
        documents = await found.sort([("death_time", 1), ("_id", 1)]).limit(size).to_list(None)
        return [_dead(one) for one in documents]

    async def keep_unreadable(self, body: bytes, now: datetime) -> None:
        """Keep a queue message that is no batch; the same twice is kept once."""
        key = hashlib.sha256(body).hexdigest()
        await self._unreadable.update_one(
            {"_id": key}, {"$setOnInsert": {"body": body, "death_time": now}}, upsert=True
        )

    async def expired(self, now: datetime, most: int) -> list[Batch]:
        """Batches whose time is over and that nobody has closed yet."""
        where = {"expired": False, "expire_time": {"$lte": now}}
        found = await self._batches.find(where).limit(most).to_list(None)
        return [_batch(document) for document in found]

    async def mark_expired(self, batch_ids: Collection[str]) -> None:
        """Note that nothing of them waits any more."""
        await self._batches.update_many(
            {"_id": {"$in": list(batch_ids)}}, {"$set": {"expired": True}}
        )

    async def check_later(self, batches: Collection[Batch], now: datetime) -> None:
        """Look again after a pause that doubles, from a minute to an hour."""
        if batches:
            await self._batches.bulk_write(
                [UpdateOne({"_id": one.batch_id}, _later(one, now)) for one in batches],
                ordered=False,
            )


def _dead(document: Document) -> DeadBatch:
    return DeadBatch(_batch(document), document["death_time"])


def _later(batch: Batch, now: datetime) -> Document:
    wait = min(FIRST_CHECK * 2 ** min(batch.check_count, 10), LAST_CHECK)
    if batch.expire_time is not None and batch.expire_time > now:
        wait = min(wait, batch.expire_time - now)
    return {"$set": {"check_time": now + wait}, "$inc": {"check_count": 1}}


def _document(batch: Batch) -> Document:
    return {
        "_id": batch.batch_id,
        "app_id": batch.app_id,
        "dispatch_id": batch.dispatch_id,
        "channel_type": batch.channel_type,
        "message_type": batch.message_type,
        "body": batch.body,
        "published": batch.published,
        "create_time": batch.create_time,
        "expire_time": batch.expire_time,
        "check_time": batch.create_time + PUBLISH_AGAIN,
        "check_count": 0,
        "expired": False,
        "size": batch.size,
    }


def _batch(document: Document) -> Batch:
    return Batch(
        document["_id"],
        document["app_id"],
        document["dispatch_id"],
        document["channel_type"],
        document["message_type"],
        document["body"],
        document["create_time"],
        document["expire_time"],
        document["published"],
        document["check_count"],
        document.get("size", 0),
    )
