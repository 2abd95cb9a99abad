"""Who gets nothing: endpoints that opted out, and addresses on the installation's list."""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pymongo import DeleteOne, UpdateOne

from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from services.messaging.domain.families import lists_of

INDEXES: Final[Indexes] = {
    "optouts": (Index("optouts_at", (("at", 1),)),),
    "suppressions": (
        Index("suppressions_at", (("at", 1),)),
        Index("suppressions_listed", (("since", -1), ("_id", -1))),
    ),
}
STOP_KEYWORD: Final = "STOP_KEYWORD"


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that gets nothing, why and since when."""

    channel_type: str
    address: str
    reason: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Blocked:
    """Those of the asked who get nothing: endpoint ids in lower case, addresses with the reason.

    Addresses are in lower case too.
    """

    endpoint_ids: frozenset[str]
    addresses: Mapping[str, str]

    def has_endpoint(self, endpoint_id: str) -> bool:
        return endpoint_id.lower() in self.endpoint_ids

    def has_address(self, address: str) -> bool:
        return address.lower() in self.addresses


@dataclass(frozen=True, slots=True)
class ListKey:
    """Where a page of the list begins: after this entry."""

    since: datetime
    key: str


class SuppressionStore:
    """Opt-outs of endpoints (`optouts`) and the suppression list (`suppressions`).

    `at` is the database's time of the last change, so that a worker finds what is new since its
    last look whatever its own clock says. A STOP of the owner (`stopped`) and any other `reason`
    are kept apart: taking one back leaves the other in force.
    """

    def __init__(self, database: Database) -> None:
        self._optouts = database["optouts"]
        self._suppressions = database["suppressions"]

    async def record(
        self, app_id: str, opted_out: Iterable[str], opted_in: Iterable[str] = ()
    ) -> None:
        """Record opt-outs and opt-ins of endpoints; in force when this returns."""
        writes: list[UpdateOne | DeleteOne] = [
            UpdateOne(
                {"_id": optout_key(app_id, endpoint_id)},
                {"$currentDate": {"at": True}},
                upsert=True,
            )
            for endpoint_id in opted_out
        ]
        writes += [DeleteOne({"_id": optout_key(app_id, one)}) for one in opted_in]
        if writes:
            await self._optouts.bulk_write(writes, ordered=False)

    async def suppress(self, entries: Sequence[Suppression]) -> int:
        """Put addresses on the list; returns how many were not on it before."""
        if not entries:
            return 0
        writes = [
            UpdateOne(
                {"_id": suppression_key(entry.channel_type, entry.address)},
                [{"$set": _entry(entry)}],
                upsert=True,
            )
            for entry in entries
        ]
        done = await self._suppressions.bulk_write(writes, ordered=True)
        return done.upserted_count

    async def stopped(self, keys: Collection[str]) -> list[str]:
        """Those of the keys (`suppression_key`) whose owner said STOP, in order."""
        found = await self._suppressions.find(
            {"_id": {"$in": list(keys)}, "stopped": True}, {"_id": 1}
        ).to_list(None)
        return sorted(document["_id"] for document in found)

    async def lift(self, keys: Collection[str]) -> int:
        """Take addresses off the list, except those whose owner said STOP; returns how many."""
        done = await self._suppressions.delete_many(
            {"_id": {"$in": list(keys)}, "stopped": {"$ne": True}}
        )
        return done.deleted_count

    async def restart(self, channel_type: str, address: str) -> bool:
        """Take the owner's STOP back (START, spec 7.5); False when there was none.

        Any other reason for the address stays in force.
        """
        key = suppression_key(channel_type, address)
        done = await self._suppressions.bulk_write(
            [
                DeleteOne({"_id": key, "stopped": True, "reason": {"$exists": False}}),
                UpdateOne({"_id": key, "stopped": True}, {"$unset": {"stopped": 1}}),
            ]
        )
        return bool(done.deleted_count or done.modified_count)

    async def blocked(
        self,
        app_id: str,
        channel_type: str,
        endpoint_ids: Collection[str],
        addresses: Collection[str],
    ) -> Blocked:
        """Which of these endpoints and addresses get nothing. Two reads side by side."""
        endpoint_keys = [optout_key(app_id, one) for one in endpoint_ids if one]
        lists = lists_of(channel_type)
        address_keys = [suppression_key(on, one) for one in addresses if one for on in lists]
        optouts, suppressions = await asyncio.gather(
            self._optouts.find({"_id": {"$in": endpoint_keys}}, {"_id": 1}).to_list(None),
            self._suppressions.find({"_id": {"$in": address_keys}}).to_list(None),
        )
        return Blocked(
            frozenset(_tail(document["_id"]) for document in optouts),
            {_tail(document["_id"]): _reason(document) for document in suppressions},
        )

    async def blocked_lately(self, app_id: str, channel_type: str, seconds: float) -> Blocked:
        """Whoever was blocked in the last `seconds`, by the database's clock. One read.

        Ask with the time since the last look and two seconds more: a write is visible to a
        majority read only some time after its `at`.
        """
        recent: Document = {
            "$expr": {"$gte": ["$at", {"$subtract": ["$$NOW", int(seconds * 1000)]}]}
        }
        pipeline: list[Document] = [
            {"$match": recent},
            {"$project": {"_id": 1}},
            {"$unionWith": {"coll": "suppressions", "pipeline": [{"$match": recent}]}},
        ]
        found = await self._optouts.aggregate(pipeline).to_list(None)
        ours, listed = f"{app_id}/", tuple(f"{on}/" for on in lists_of(channel_type))
        return Blocked(
            frozenset(
                _tail(d["_id"]) for d in found if "since" not in d and d["_id"].startswith(ours)
            ),
            {
                _tail(d["_id"]): _reason(d)
                for d in found
                if "since" in d and d["_id"].startswith(listed)
            },
        )

    async def page(
        self, channel_type: str, reason: str, after: ListKey | None, size: int
    ) -> list[Suppression]:
        """Up to `size` entries, newest first; empty channel or reason means any."""
        found = self._suppressions.find(_listed(channel_type, reason, after))
        documents = await found.sort([("since", -1), ("_id", -1)]).limit(size).to_list(None)
        return [_suppression(document) for document in documents]


def optout_key(app_id: str, endpoint_id: str) -> str:
    """Key of an opt-out; endpoint ids are case-insensitive (spec 2.2)."""
    return f"{app_id}/{endpoint_id.lower()}"


def suppression_key(channel_type: str, address: str) -> str:
    """Key of an entry of the list; addresses are compared without regard to case."""
    return f"{channel_type}/{address.lower()}"


def _tail(key: str) -> str:
    return key.partition("/")[2]


def _entry(entry: Suppression) -> Document:
    fields: Document = {
        # Literal: what a user wrote may begin with a dollar sign.
        "channel_type": {"$literal": entry.channel_type},
        "address": {"$literal": entry.address},
        "at": "$$NOW",
        "since": {"$ifNull": ["$since", entry.since or "$$NOW"]},
    }
    if entry.reason == STOP_KEYWORD:
        return fields | {"stopped": True}
    return fields | {"reason": {"$literal": entry.reason}}


def _reason(document: Document) -> str:
    return STOP_KEYWORD if document.get("stopped") else str(document.get("reason", ""))


def _suppression(document: Document) -> Suppression:
    return Suppression(
        document["channel_type"], document["address"], _reason(document), document["since"]
    )


def _listed(channel_type: str, reason: str, after: ListKey | None) -> Document:
    conditions: list[dict[str, Any]] = []
    if channel_type:
        conditions.append({"channel_type": channel_type})
    if reason == STOP_KEYWORD:
        conditions.append({"stopped": True})
    elif reason:
        conditions.append({"reason": reason, "stopped": {"$ne": True}})
    if after is not None:
        older = {"since": {"$lt": after.since}}
        same = {"since": after.since, "_id": {"$lt": after.key}}
        conditions.append({"$or": [older, same]})
    return {"$and": conditions} if conditions else {}
