"""Rows of the ledger: their documents, their indexes, and how they come into being."""

import asyncio
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.errors import AutoReconnect, BulkWriteError

from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from services.messaging.domain.batches import Place
from services.messaging.domain.ledger import Origin, Reason, Row, State

INDEXES: Final[Indexes] = {
    "messages": (
        # Covers the counts of a dispatch, finds its rows in a state, and orders its pages.
        Index(
            "messages_counted",
            (
                ("dispatch_id", 1),
                ("state", 1),
                ("reason", 1),
                ("channel_type", 1),
                ("treatment_id", 1),
                ("_id", 1),
            ),
        ),
        Index("messages_of_endpoint", (("app_id", 1), ("endpoint_id", 1), ("create_time", -1))),
        # Partial: only the few rows in these states cost anything.
        Index("messages_due", (("due_time", 1),), partial={"due_time": {"$exists": True}}),
        Index("messages_leased", (("claim.until", 1),), partial={"claim.until": {"$exists": True}}),
        Index(
            "messages_at_provider",
            (("provider_ids", 1),),
            partial={"provider_ids": {"$exists": True}},
        ),
        Index("messages_held", (("app_id", 1),), partial={"state": State.HELD.value}),
        # Partial: mails are never asked for by address.
        Index(
            "messages_texted",
            (("address", 1), ("create_time", -1)),
            partial={"channel_type": "SMS"},
        ),
    )
}
_DUPLICATE_KEY: Final = 11000
_INSERT_AT_ONCE: Final = 1000

Entry = tuple[str, str, str]
"""What differs between the rows of one batch: message id, endpoint id, address."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What the rows of one batch have in common. `batch_id` is empty for rows never queued.

    `contexts` are those of the few messages that have one, as JSON, by message id.
    """

    origin: Origin
    dispatch_id: str
    batch_id: str
    channel_type: str
    treatment_id: str
    message_type: str
    create_time: datetime
    expire_time: datetime | None = None
    state: State = State.QUEUED
    reason: Reason = Reason.NONE
    contexts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inserted:
    """How many rows are new, and the ids of those that were there already."""

    new_count: int
    known: frozenset[str]


class RowStore:
    """How rows come into being."""

    def __init__(self, database: Database) -> None:
        self._messages = database["messages"]

    async def insert(self, batches: Iterable[tuple[Shared, Sequence[Entry]]]) -> Inserted:
        """Insert rows, a thousand at a time side by side; rows that exist stay as they are."""
        documents = [
            document for shared, entries in batches for document in _documents(shared, entries)
        ]
        pieces = [
            documents[start : start + _INSERT_AT_ONCE]
            for start in range(0, len(documents), _INSERT_AT_ONCE)
        ]
        known = await asyncio.gather(*(self._insert(piece) for piece in pieces))
        there = frozenset().union(*known)
        return Inserted(len(documents) - len(there), there)

    async def _insert(self, documents: list[Document]) -> frozenset[str]:
        """Insert one piece; returns the ids that were there already.

        The bare command: the driver's bulk API costs more than all the rest of a row. It does not
        repeat writes by itself either, so a change of the primary is waited out here.
        """
        command = {
            "insert": self._messages.name,
            "documents": documents,
            "ordered": False,
            "writeConcern": self._messages.write_concern.document,
        }
        try:
            answer = await self._messages.database.command(command)
        except AutoReconnect:
            answer = await self._messages.database.command(command)
        return _known(answer, documents)

    async def places_of(self, message_ids: Collection[str]) -> Mapping[str, Place]:
        """Whose row it is and which batch sends it, by message id."""
        found = self._messages.find(
            {"_id": {"$in": list(message_ids)}}, {"endpoint_id": 1, "batch_id": 1}
        )
        return {d["_id"]: Place(d["endpoint_id"], d["batch_id"]) for d in await found.to_list(None)}

    async def states_in(self, batch_id: str, message_ids: Collection[str]) -> Mapping[str, State]:
        """Where the messages of a batch stand; rows that belong to another batch are missing."""
        found = self._messages.find(
            {"_id": {"$in": list(message_ids)}, "batch_id": batch_id}, {"state": 1}
        )
        return {d["_id"]: State(d["state"]) for d in await found.to_list(None)}


def _known(answer: Mapping[str, Any], documents: Sequence[Document]) -> frozenset[str]:
    faults = answer.get("writeErrors", ())
    others = [fault for fault in faults if fault["code"] != _DUPLICATE_KEY]
    if others or "writeConcernError" in answer:
        raise BulkWriteError(dict(answer))
    return frozenset(documents[fault["index"]]["_id"] for fault in faults)


def _documents(shared: Shared, entries: Iterable[Entry]) -> Iterable[Document]:
    template: Document = {
        "_id": "",
        "app_id": shared.origin.app_id,
        "dispatch_id": shared.dispatch_id,
        "batch_id": shared.batch_id,
        "campaign_id": shared.origin.campaign_id,
        "activity_id": shared.origin.activity_id,
        "request_id": shared.origin.request_id,
        "treatment_id": shared.treatment_id,
        "channel_type": shared.channel_type,
        "message_type": shared.message_type,
        # Plain strings and naive UTC: the driver writes those several times as fast.
        "state": shared.state.value,
        "reason": shared.reason.value,
        "attempts": 0,
        "create_time": _naive(shared.create_time),
    }
    if shared.expire_time is not None:
        template["expire_time"] = _naive(shared.expire_time)
    for message_id, endpoint_id, address in entries:
        own = {"_id": message_id, "endpoint_id": endpoint_id, "address": address}
        if message_id in shared.contexts:
            own["context"] = shared.contexts[message_id]
        yield {**template, **own}


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def row_from_document(document: Document) -> Row:
    """The domain value of a document."""
    return Row(
        message_id=document["_id"],
        origin=Origin(
            document["app_id"],
            document["campaign_id"],
            document["activity_id"],
            document["request_id"],
        ),
        dispatch_id=document["dispatch_id"],
        batch_id=document["batch_id"],
        channel_type=document["channel_type"],
        endpoint_id=document["endpoint_id"],
        address=document["address"],
        treatment_id=document["treatment_id"],
        message_type=document["message_type"],
        state=State(document["state"]),
        reason=Reason(document["reason"]),
        detail=document.get("detail", ""),
        attempts=document["attempts"],
        parts=document.get("parts", 0),
        provider_ids=tuple(document.get("provider_ids", ())),
        create_time=document["create_time"],
        update_time=document.get("update_time") or document["create_time"],
        due_time=document.get("due_time"),
        context=json.loads(document.get("context", "{}")),
        attributes=tuple(map(tuple, json.loads(document.get("attributes", "[]")))),
    )
