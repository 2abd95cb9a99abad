"""Events, the counters made of them, and the marks that make a thing count once."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorClientSession
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from libs.mongo.client import Database
from services.analytics.domain.counting import Figures, Key, Record, mark_scope
from services.analytics.domain.kpis import Count, Slice

_DUPLICATE_KEY: Final = 11000
# The name our connections carry, as libs.mongo gives it.
APP_NAME: Final = "analytics"
# A living writer pauses for milliseconds between the steps of a transaction.
_ABANDONED_MICROSECONDS: Final = 2_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listing:
    """Which events to list; empty texts and None ask for all. `after` is (time, id) of the last."""

    app_id: str
    event_type: str = ""
    client_id: str = ""
    campaign_id: str = ""
    start: datetime | None = None
    end: datetime | None = None
    after: tuple[datetime, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A stored event: where it stands in the order, and the event as it was serialized."""

    event_time: datetime
    record_id: bytes
    body: bytes


class EventStore:
    """Events are written with their counters in one transaction, so that each counts once."""

    def __init__(self, database: Database) -> None:
        self._client = database.client
        self._events = database["events"]
        self._counters = database["counters"]
        self._marks = database["marks"]
        # What a lost primary might take back must not pass for stored.
        settled = ReadConcern("majority")
        self._settled_events = self._events.with_options(read_concern=settled)
        self._settled_marks = self._marks.with_options(read_concern=settled)

    async def known_events(self, record_ids: Collection[bytes]) -> set[bytes]:
        """Those of the ids that are stored."""
        return await _present(self._settled_events, record_ids)

    async def known_marks(self, marks: Collection[bytes]) -> set[bytes]:
        """Those of the marks that have counted."""
        return await _present(self._settled_marks, marks) if marks else set()

    async def add(
        self,
        records: Sequence[Record],
        marks: Collection[bytes],
        sums: Mapping[Key, Figures],
        slot: int,
    ) -> bool:
        """Store events, marks and sums, all or nothing. False: another writer came between.

        Writers that run side by side use different slots, so that they never write one counter.
        """
        try:
            async with (
                await self._client.start_session() as session,
                session.start_transaction(),
            ):
                await self._write(records, marks, sums, slot, session)
        except BulkWriteError as error:
            if _only_duplicates(error):
                return False
            raise
        except PyMongoError as error:
            if _may_be_repeated(error):
                return False
            raise
        return True

    async def _write(
        self,
        records: Sequence[Record],
        marks: Collection[bytes],
        sums: Mapping[Key, Figures],
        slot: int,
        session: AsyncIOMotorClientSession,
    ) -> None:
        documents = [_document(record) for record in records]
        await self._events.insert_many(documents, ordered=False, session=session)
        if marks:
            seen = datetime.now(UTC)
            marked = [{"_id": mark, "seen_time": seen} for mark in marks]
            await self._marks.insert_many(marked, ordered=False, session=session)
        updates = [_increment(key, figures, slot) for key, figures in sums.items()]
        await self._counters.bulk_write(updates, ordered=False, session=session)

    async def end_abandoned(self) -> None:
        """End transactions whose writer was killed; the server itself waits a minute for it.

        A writer that is only slow finds its transaction gone, which it takes for a conflict.
        """
        pipeline: list[dict[str, Any]] = [
            {"$currentOp": {"allUsers": False, "idleSessions": True}},
            {"$match": {"transaction.timeInactiveMicros": {"$gt": _ABANDONED_MICROSECONDS}}},
            {"$match": {"appName": APP_NAME}},
        ]
        admin = self._client.admin
        found = [d["lsid"]["id"] async for d in admin.aggregate(pipeline)]
        if found:
            await admin.command("killSessions", [{"id": session_id} for session_id in found])

    async def listed(self, listing: Listing, size: int) -> list[Listed]:
        """Up to `size` events, newest first."""
        cursor = (
            self._events.find(_filter(listing), {"body": 1, "event_time": 1})
            .sort([("event_time", -1), ("_id", -1)])
            .limit(size)
        )
        return [Listed(d["event_time"], d["_id"], d["body"]) async for d in cursor]

    async def counts(self, wanted: Slice) -> list[Count]:
        """Counters of a slice, summed over what no figure tells apart."""
        pipeline: list[dict[str, Any]] = [
            {"$match": _counter_filter(wanted)},
            {
                "$group": {
                    "_id": {field: f"${field}" for field in _GROUPED},
                    **{figure: {"$sum": f"${figure}"} for figure in Figures.__slots__},
                }
            },
        ]
        return [_count(document) async for document in self._counters.aggregate(pipeline)]

    async def delete_application(self, app_id: str) -> None:
        """Delete everything of an application."""
        scope = mark_scope(app_id)
        await self._events.delete_many({"app_id": app_id})
        await self._counters.delete_many({"app_id": app_id})
        await self._marks.delete_many(
            {"_id": {"$gte": scope + b"\x00" * 12, "$lte": scope + b"\xff" * 12}}
        )


_GROUPED: Final = (
    "campaign_id",
    "activity_id",
    "treatment_id",
    "event_type",
    "status",
    "country",
    "day",
)


async def _present(
    collection: Any,  # noqa: ANN401 - a collection of any document
    ids: Collection[bytes],
) -> set[bytes]:
    cursor = collection.find({"_id": {"$in": list(ids)}}, {"_id": 1})
    return {document["_id"] async for document in cursor}


def _document(record: Record) -> dict[str, Any]:
    key = record.fact.key
    document: dict[str, Any] = {
        "_id": record.record_id,
        "app_id": key.app_id,
        "event_type": key.event_type,
        "client_id": record.client_id,
        "event_time": _EPOCH + timedelta(milliseconds=record.milliseconds),
        "body": record.body,
    }
    if key.campaign_id:
        document["campaign_id"] = key.campaign_id
    return document


def _increment(key: Key, figures: Figures, slot: int) -> UpdateOne:
    text = "\x00".join(map(str, (*key, slot)))
    sums = {name: value for name in Figures.__slots__ if (value := getattr(figures, name))}
    return UpdateOne(
        {"_id": hashlib.blake2b(text.encode(), digest_size=16).digest()},
        {"$inc": sums, "$setOnInsert": {**key._asdict(), "slot": slot}},
        upsert=True,
    )


def _count(document: Mapping[str, Any]) -> Count:
    figures = Figures(**{name: document[name] or 0 for name in Figures.__slots__})
    return Count(**document["_id"], figures=figures)


def _filter(listing: Listing) -> dict[str, Any]:
    wanted: dict[str, Any] = {"app_id": listing.app_id}
    for field in ("event_type", "client_id", "campaign_id"):
        if value := getattr(listing, field):
            wanted[field] = value
    times: dict[str, Any] = {}
    if listing.start is not None:
        times["$gte"] = listing.start
    if listing.end is not None:
        times["$lt"] = listing.end
    if listing.after is not None:
        moment, record_id = listing.after
        times["$lte"] = moment
        wanted["$or"] = [
            {"event_time": {"$lt": moment}},
            {"event_time": moment, "_id": {"$lt": record_id}},
        ]
    if times:
        wanted["event_time"] = times
    return wanted


def _counter_filter(wanted: Slice) -> dict[str, Any]:
    match: dict[str, Any] = {"app_id": wanted.app_id}
    if wanted.campaign_id is not None:
        match["campaign_id"] = wanted.campaign_id
    elif wanted.of_campaigns:
        match["campaign_id"] = {"$gt": ""}
    if wanted.days is not None:
        match["day"] = {"$gte": wanted.days[0], "$lte": wanted.days[1]}
    if wanted.event_types:
        match["event_type"] = {"$in": sorted(wanted.event_types)}
    return match


def _only_duplicates(error: BulkWriteError) -> bool:
    failures = (error.details or {}).get("writeErrors", [])
    return bool(failures) and all(f.get("code") == _DUPLICATE_KEY for f in failures)


def _may_be_repeated(error: PyMongoError) -> bool:
    # After an unknown commit the next look at the store tells whether it happened.
    if error.has_error_label("UnknownTransactionCommitResult"):
        return True
    return isinstance(error, OperationFailure) and error.has_error_label(
        "TransientTransactionError"
    )
