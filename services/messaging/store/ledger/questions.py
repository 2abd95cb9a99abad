"""What people and services ask of the ledger: one message, pages of messages, counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bson import MaxKey, MinKey

from libs.mongo.client import Database, Document
from services.messaging.domain.decisions import Standing
from services.messaging.domain.ledger import Reason, Row, State
from services.messaging.domain.recipients import SMS
from services.messaging.store.ledger.rows import row_from_document

_KEYS: Final = ("dispatch_id", "state", "reason", "channel_type", "treatment_id", "_id")
"""The fields of the index `messages_counted`, in order."""


@dataclass(frozen=True, slots=True)
class Count:
    """Messages that stand alike."""

    state: State
    reason: Reason
    channel_type: str
    treatment_id: str
    count: int


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """Conditions that must all hold; empty ones hold for every message."""

    app_id: str
    dispatch_ids: tuple[str, ...] = ()
    endpoint_id: str = ""
    state: str = ""
    reason: str = ""
    channel_type: str = ""
    standings: tuple[Standing, ...] = ()


class QuestionStore:
    """Reads only."""

    def __init__(self, database: Database) -> None:
        self._messages = database["messages"]

    async def get(self, app_id: str, message_id: str) -> Row | None:
        """One message of the application."""
        found = await self._messages.find_one({"_id": message_id, "app_id": app_id})
        return None if found is None else row_from_document(found)

    async def last_texter(self, address: str, app_ids: Sequence[str]) -> str:
        """Which of the applications wrote to a number last; empty when none of them did."""
        found = self._messages.find(
            {"channel_type": SMS, "address": address, "app_id": {"$in": list(app_ids)}},
            {"app_id": 1},
        )
        newest = await found.sort("create_time", -1).limit(1).to_list(1)
        return newest[0]["app_id"] if newest else ""

    async def counts(self, dispatch_id: str) -> list[Count]:
        """How many messages of a dispatch stand alike; read from the index alone."""
        keys = ("state", "reason", "channel_type", "treatment_id")
        found = self._messages.aggregate(
            [
                {"$match": {"dispatch_id": dispatch_id}},
                {"$group": {"_id": {key: f"${key}" for key in keys}, "count": {"$sum": 1}}},
            ],
            hint="messages_counted",
        )
        return [_count(document) for document in await found.to_list(None)]

    async def of_endpoint(
        self, query: MessageQuery, after: Sequence[Any] | None, size: int
    ) -> list[Row]:
        """A page of the messages to one endpoint, newest first, after (create_time, id)."""
        where = _filter(query) | {"endpoint_id": query.endpoint_id}
        if query.dispatch_ids:
            where["dispatch_id"] = {"$in": list(query.dispatch_ids)}
        if after is not None:
            where["$or"] = [
                {"create_time": {"$lt": after[0]}},
                {"create_time": after[0], "_id": {"$lt": after[1]}},
            ]
        found = self._messages.find(where, hint="messages_of_endpoint")
        documents = await found.sort([("create_time", -1), ("_id", -1)]).limit(size).to_list(None)
        return [row_from_document(document) for document in documents]

    async def of_dispatches(
        self, query: MessageQuery, after: Sequence[Any] | None, size: int
    ) -> list[Row]:
        """A page of the messages of dispatches, in the order of the index, after its last key."""
        rows: list[Row] = []
        for dispatch_id in sorted(query.dispatch_ids):
            if after is not None and dispatch_id < after[0]:
                continue
            start = after if after is not None and after[0] == dispatch_id else None
            rows += await self._of_dispatch(dispatch_id, query, start, size - len(rows))
            if len(rows) >= size:
                break
        return rows

    async def _of_dispatch(
        self, dispatch_id: str, query: MessageQuery, after: Sequence[Any] | None, size: int
    ) -> list[Row]:
        # The bounds are places in the index: a page begins where the last one ended, at once.
        first: Sequence[Any] = after or (dispatch_id, query.state or MinKey(), *[MinKey()] * 4)
        last: Sequence[Any] = (dispatch_id, query.state or MaxKey(), *[MaxKey()] * 4)
        where = _filter(query)
        if after is not None:
            where["_id"] = {"$ne": after[-1]}  # the lower bound includes the last row itself
        found = (
            self._messages.find(where)
            .min(list(zip(_KEYS, first, strict=True)))
            .max(list(zip(_KEYS, last, strict=True)))
            .hint("messages_counted")
            .limit(size)
        )
        return [row_from_document(document) for document in await found.to_list(None)]


def index_key(row: Row) -> tuple[str, ...]:
    """The place of a row in `messages_counted`, as a page token keeps it."""
    return (
        row.dispatch_id,
        row.state.value,
        row.reason.value,
        row.channel_type,
        row.treatment_id,
        row.message_id,
    )


def _filter(query: MessageQuery) -> Document:
    where: Document = {"app_id": query.app_id}
    if query.state:
        where["state"] = query.state
    if query.reason:
        where["reason"] = query.reason
    if query.channel_type:
        where["channel_type"] = query.channel_type
    if query.standings:
        where["$and"] = [{"$or": [_standing(one) for one in query.standings]}]
    return where


def _standing(standing: Standing) -> Document:
    where: Document = {}
    if standing.states:
        where["state"] = {"$in": sorted(state.value for state in standing.states)}
    if standing.reasons:
        where["reason"] = {"$in": sorted(reason.value for reason in standing.reasons)}
    if standing.is_taken is not None:
        where["provider_ids.0"] = {"$exists": standing.is_taken}
    return where


def _count(document: Document) -> Count:
    key = document["_id"]
    return Count(
        State(key["state"]),
        Reason(key["reason"]),
        key["channel_type"],
        key["treatment_id"],
        document["count"],
    )
