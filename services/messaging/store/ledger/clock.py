"""What the gateway's clocks and an operator do with many rows at once."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from libs.ids import new_id
from libs.mongo.client import Database, Document
from services.messaging.domain.families import TAKES_OUR_ID
from services.messaging.domain.holds import Scope
from services.messaging.domain.ledger import WAITING, Reason, Row, State
from services.messaging.domain.outcomes import TRANSACTIONAL
from services.messaging.store.ledger.rows import row_from_document

RESENDS: Final = 5
"""A message whose workers died this often waits for an operator: it may be what kills them."""
ByBatch = Mapping[str, Sequence[str]]


class ClockStore:
    """Changes in bulk; each is safe to be made by several gateways side by side."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._messages = database["messages"]

    async def now(self) -> datetime:
        """The database's time: leases and due times are compared with one clock only."""
        told: datetime = (await self._database.command("hello"))["localTime"]
        # The answer of a command has no zone, whatever the client's own documents have.
        return told.replace(tzinfo=UTC)

    async def mark_lost(self, now: datetime) -> int:
        """Make rows UNKNOWN whose worker did not come back in time; returns how many.

        Those of `is_resent` are due again at once; others wait for an operator. The claim's token
        stays, so that a worker that was only slow can still tell what happened.
        """
        is_resent = {
            "$and": [
                {
                    "$or": [
                        {"$eq": ["$message_type", TRANSACTIONAL]},
                        {"$in": ["$channel_type", sorted(TAKES_OUR_ID)]},
                    ]
                },
                {"$lt": ["$attempts", RESENDS]},
            ]
        }
        done = await self._messages.update_many(
            {"claim.until": {"$lt": now}, "state": State.CLAIMED},
            [
                {
                    "$set": {
                        "state": State.UNKNOWN.value,
                        "reason": Reason.WORKER_LOST.value,
                        "update_time": "$$NOW",
                        "due_time": {"$cond": [is_resent, "$$NOW", "$$REMOVE"]},
                    }
                },
                {"$unset": "claim.until"},
            ],
        )
        return done.modified_count

    async def due(self, now: datetime, most: int) -> ByBatch:
        """Up to `most` RETRY rows whose time has come and UNKNOWN rows to resend, by batch."""
        found = self._messages.find(
            {
                "due_time": {"$lte": now},
                "state": {"$in": [State.RETRY.value, State.UNKNOWN.value]},
            },
            {"batch_id": 1},
        )
        return _by_batch(await found.sort("due_time", 1).limit(most).to_list(None))

    async def held(self, dispatch_id: str, most: int) -> ByBatch:
        """Up to `most` HELD rows of a dispatch, by batch."""
        found = self._messages.find(
            {"dispatch_id": dispatch_id, "state": State.HELD.value}, {"batch_id": 1}
        )
        return _by_batch(await found.limit(most).to_list(None))

    async def held_in(
        self,
        app_id: str,
        scope: Scope,
        others: Sequence[Scope],
        dispatch_ids: Sequence[str],
        most: int,
    ) -> ByBatch:
        """Up to `most` HELD rows of a scope, by batch, but for those of other scopes and of
        dispatches.
        """
        where: Document = {"app_id": app_id, "state": State.HELD.value, **_in(scope)}
        if others:
            where["$nor"] = [_in(one) for one in others]
        if dispatch_ids:
            where["dispatch_id"] = {"$nin": list(dispatch_ids)}
        found = self._messages.find(where, {"batch_id": 1}, hint="messages_held")
        return _by_batch(await found.limit(most).to_list(None))

    async def queue_again(self, message_ids: Collection[str]) -> frozenset[str]:
        """Make RETRY, HELD and UNKNOWN rows QUEUED; returns those that this call changed."""
        token, ids = new_id(), list(message_ids)
        done = await self._messages.update_many(
            {
                "_id": {"$in": ids},
                "state": {"$in": [State.RETRY.value, State.HELD.value, State.UNKNOWN.value]},
            },
            {
                "$set": {"state": State.QUEUED.value, "reason": Reason.NONE.value, "feed": token},
                "$unset": {"claim": 1, "due_time": 1},
                "$currentDate": {"update_time": True},
            },
        )
        if done.modified_count == len(ids):
            return frozenset(ids)
        ours = await self._messages.find({"_id": {"$in": ids}, "feed": token}, {"_id": 1}).to_list(
            None
        )
        return frozenset(document["_id"] for document in ours)

    async def cancel(self, dispatch_id: str) -> int:
        """Stop everything of a dispatch that waits; returns how many."""
        where: Document = {"dispatch_id": dispatch_id, **_waiting()}
        return await self._close(where, State.CANCELLED, Reason.STOPPED)

    async def expire(self, message_ids: Collection[str]) -> int:
        """Close those of the rows that still wait: their time is over. Returns how many."""
        where: Document = {"_id": {"$in": list(message_ids)}, **_waiting()}
        return await self._close(where, State.SKIPPED, Reason.EXPIRED)

    async def write_off(self, app_id: str, dispatch_id: str, message_ids: Collection[str]) -> int:
        """Count UNKNOWN rows as failed; no ids means all of the dispatch. Returns how many."""
        where = _unknown(app_id, dispatch_id, message_ids)
        return await self._close(where, State.FAILED, Reason.WRITTEN_OFF)

    async def unknown(
        self, app_id: str, dispatch_id: str, message_ids: Collection[str], most: int
    ) -> list[Row]:
        """Up to `most` UNKNOWN rows; no ids means any of the dispatch."""
        found = self._messages.find(_unknown(app_id, dispatch_id, message_ids)).limit(most)
        return [row_from_document(document) for document in await found.to_list(None)]

    async def mark_sent(self, app_id: str, dispatch_id: str, message_ids: Collection[str]) -> int:
        """Count UNKNOWN rows as sent: the provider has them. Returns how many."""
        where = _unknown(app_id, dispatch_id, message_ids)
        return await self._close(where, State.SENT, Reason.NONE)

    async def resend(self, app_id: str, dispatch_id: str, message_ids: Collection[str]) -> int:
        """Make UNKNOWN rows due now; the gateway's clock feeds them. Returns how many."""
        where = _unknown(app_id, dispatch_id, message_ids) | {"due_time": {"$exists": False}}
        done = await self._messages.update_many(where, [{"$set": {"due_time": "$$NOW"}}])
        return done.modified_count

    async def _close(self, where: Document, state: State, reason: Reason) -> int:
        done = await self._messages.update_many(
            where,
            {
                "$set": {"state": state.value, "reason": reason.value},
                "$unset": {"claim": 1, "due_time": 1},
                "$currentDate": {"update_time": True},
            },
        )
        return done.modified_count


def _in(scope: Scope) -> Document:
    named = {"channel_type": scope.channel_type, "campaign_id": scope.campaign_id}
    return {name: value for name, value in named.items() if value}


def _waiting() -> Document:
    return {"state": {"$in": sorted(state.value for state in WAITING)}}


def _unknown(app_id: str, dispatch_id: str, message_ids: Collection[str]) -> Document:
    where: Document = {"dispatch_id": dispatch_id, "state": State.UNKNOWN.value, "app_id": app_id}
    if message_ids:
        where["_id"] = {"$in": list(message_ids)}
    return where


def _by_batch(documents: Iterable[Document]) -> ByBatch:
    grouped: defaultdict[str, list[str]] = defaultdict(list)
    for document in documents:
        grouped[document["batch_id"]].append(document["_id"])
    return grouped
