"""What workers do with ledger rows: outcomes and claims in one round trip, and receipts.

A window is at most 16 rows, claimed with a token of its own. An outcome only counts while the row
still carries that token, so a worker that lost its lease cannot overwrite what happened since.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ReturnDocument, UpdateMany, UpdateOne

from libs.mongo.client import Database, Document
from services.messaging.domain.ledger import (
    Outcome,
    Reason,
    Receipt,
    Row,
    State,
    receivable,
    sources_of,
)
from services.messaging.store.ledger.rows import row_from_document

Update = UpdateMany | UpdateOne
_Fields = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Claimed:
    """Which rows are ours now, and how many outcomes came too late to count."""

    message_ids: frozenset[str]
    late_outcomes: int


class WindowStore:
    """A worker's side of the ledger."""

    def __init__(self, database: Database) -> None:
        self._messages = database["messages"]

    async def resolve_and_claim(
        self,
        outcomes: Sequence[Outcome],
        held_token: str,
        next_ids: Sequence[str],
        token: str,
        lease_seconds: float,
    ) -> Claimed:
        """Write the outcomes of the window `held_token` and claim the next rows as `token`.

        One ordered bulk write; a repeat after a lost answer changes nothing twice, because a
        written outcome carries no token any more. Only QUEUED rows can be claimed.
        """
        writes = list(_outcome_updates(outcomes, {"claim.token": held_token}))
        if next_ids:
            writes.append(_claim_update(next_ids, token, lease_seconds))
        if not writes:
            return Claimed(frozenset(), 0)
        done = await self._messages.bulk_write(writes, ordered=True)
        expected = len(outcomes) + len(next_ids)
        if done.matched_count == expected:
            return Claimed(frozenset(next_ids), 0)
        ours = await self.claimed_by(token, next_ids)
        return Claimed(ours, len(outcomes) + len(ours) - done.matched_count)

    async def claimed_by(self, token: str, message_ids: Collection[str]) -> frozenset[str]:
        """Those of the rows that carry the claim."""
        found = self._messages.find(
            {"_id": {"$in": list(message_ids)}, "claim.token": token, "state": State.CLAIMED},
            {"_id": 1},
        )
        return frozenset(document["_id"] for document in await found.to_list(None))

    async def give_back(self, message_ids: Collection[str], token: str) -> int:
        """Queue claimed rows again that were not handed to a provider; the attempt is not counted.

        Returns how many were still ours.
        """
        done = await self._messages.update_many(
            {"_id": {"$in": list(message_ids)}, "claim.token": token, "state": State.CLAIMED},
            [
                {
                    "$set": {
                        "state": State.QUEUED.value,
                        "update_time": "$$NOW",
                        "attempts": {"$subtract": ["$attempts", 1]},
                    }
                },
                {"$unset": "claim"},
            ],
        )
        return done.matched_count

    async def close_unclaimed(self, outcomes: Sequence[Outcome]) -> int:
        """Write refusals of rows that nobody claimed: SKIPPED, FAILED, HELD or CANCELLED.

        Rows in a state that does not allow it are left alone; returns how many changed.
        """
        writes = list(_outcome_updates(outcomes, {}, never_from=State.CLAIMED))
        if not writes:
            return 0
        done = await self._messages.bulk_write(writes, ordered=False)
        return done.modified_count

    async def rows_of(self, message_ids: Collection[str]) -> Mapping[str, Row]:
        """The rows by id; those that do not exist are missing."""
        found = await self._messages.find({"_id": {"$in": list(message_ids)}}).to_list(None)
        return {document["_id"]: row_from_document(document) for document in found}

    async def states_of(self, message_ids: Collection[str]) -> Mapping[str, tuple[State, int]]:
        """State and attempts by id; rows that do not exist are missing."""
        found = self._messages.find(
            {"_id": {"$in": list(message_ids)}}, {"state": 1, "attempts": 1}
        )
        return {
            document["_id"]: (State(document["state"]), document["attempts"])
            for document in await found.to_list(None)
        }

    async def receive(self, receipt: Receipt) -> Row | None:
        """Apply a receipt, by message id or by the provider's id of a part; None changes nothing.

        Several applications may send over one account at a provider, and a receipt comes on the
        link of any of them: the account and the id find the row, whosever it is.

        A message is DELIVERED when every part is, and FAILED with its first part that failed. A
        late or repeated receipt finds no row in a state it could change. Returns the row after
        the change; its state tells whether the receipt decided it.
        """
        where: Document = {"state": {"$in": _values(receivable(receipt.state))}}
        if receipt.message_id:
            where["_id"] = receipt.message_id
        else:
            where |= _at_provider(receipt)
            where["delivered_ids"] = {"$ne": receipt.provider_id}
        update = _by_part(receipt.provider_id) if _is_one_delivered_part(receipt) else None
        found = await self._messages.find_one_and_update(
            where,
            update or [*_final_fields(receipt), {"$unset": ["claim", "due_time"]}],
            return_document=ReturnDocument.AFTER,
        )
        return None if found is None else row_from_document(found)

    async def of_part(self, receipt: Receipt) -> Row | None:
        """The row of the part that a receipt is about, whatever its state."""
        found = await self._messages.find_one(_at_provider(receipt))
        return None if found is None else row_from_document(found)


def _outcome_updates(
    outcomes: Iterable[Outcome], guard: Document, never_from: State | None = None
) -> Iterable[Update]:
    """Updates for outcomes: those that say the same in one, those with provider ids each alone."""
    alike: defaultdict[_Fields, list[str]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.provider_ids:
            where = {"_id": outcome.message_id, **_allowed(outcome.state, never_from), **guard}
            fields = dict(_fields(outcome)) | _ids(outcome)
            yield UpdateOne(where, _update(fields))
        else:
            alike[_fields(outcome)].append(outcome.message_id)
    for key, message_ids in alike.items():
        fields = dict(key)
        where = {"_id": {"$in": message_ids}, **_allowed(fields["state"], never_from), **guard}
        yield UpdateMany(where, _update(fields))


def _fields(outcome: Outcome) -> _Fields:
    fields: list[tuple[str, Any]] = [("state", outcome.state), ("reason", outcome.reason)]
    if outcome.detail:
        fields.append(("detail", outcome.detail))
    if outcome.parts:
        fields.append(("parts", outcome.parts))
    if outcome.attributes:
        fields.append(("attributes", json.dumps(outcome.attributes)))
    if outcome.due_time is not None:
        fields.append(("due_time", outcome.due_time))
    return tuple(fields)


def _ids(outcome: Outcome) -> Document:
    ids: Document = {"provider_ids": list(outcome.provider_ids)}
    if outcome.provider_account:
        ids["provider_account"] = outcome.provider_account
    return ids


def _at_provider(receipt: Receipt) -> Document:
    return {
        "provider_ids": receipt.provider_id,
        "provider_account": receipt.provider_account,
    }


def _update(fields: Document) -> Document:
    gone = {"claim": 1} if "due_time" in fields else {"claim": 1, "due_time": 1}
    return {"$set": fields, "$unset": gone, "$currentDate": {"update_time": True}}


def _allowed(state: State, never_from: State | None) -> Document:
    return {"state": {"$in": _values(sources_of(State(state)) - {never_from})}}


def _values(states: Collection[State | None]) -> list[str]:
    return sorted(state.value for state in states if state)


def _claim_update(message_ids: Sequence[str], token: str, lease_seconds: float) -> UpdateMany:
    until = {"$add": ["$$NOW", int(lease_seconds * 1000)]}
    return UpdateMany(
        {"_id": {"$in": list(message_ids)}, "state": State.QUEUED},
        [
            {
                "$set": {
                    "state": State.CLAIMED.value,
                    "claim": {"token": {"$literal": token}, "until": until},
                    "attempts": {"$add": ["$attempts", 1]},
                    "update_time": "$$NOW",
                }
            }
        ],
    )


def _is_one_delivered_part(receipt: Receipt) -> bool:
    is_whole = bool(receipt.message_id)
    return receipt.state is State.DELIVERED and bool(receipt.provider_id) and not is_whole


def _by_part(provider_id: str) -> list[Document]:
    known = {"$ifNull": ["$delivered_ids", []]}
    missing = {"$setDifference": ["$provider_ids", "$delivered_ids"]}
    is_whole = {"$eq": [missing, []]}
    return [
        {"$set": {"delivered_ids": {"$setUnion": [known, [{"$literal": provider_id}]]}}},
        {
            "$set": {
                "state": {"$cond": [is_whole, State.DELIVERED.value, "$state"]},
                "reason": Reason.NONE.value,
                "update_time": "$$NOW",
            }
        },
    ]


def _final_fields(receipt: Receipt) -> list[Document]:
    fields: Document = {
        "state": receipt.state.value,
        "reason": receipt.reason.value,
        "update_time": "$$NOW",
    }
    if receipt.detail:
        fields["detail"] = {"$literal": receipt.detail}
    if receipt.message_id and receipt.provider_id:
        # A row whose worker was lost learns here what the provider calls it.
        ids = [{"$literal": receipt.provider_id}]
        fields["provider_ids"] = {"$ifNull": ["$provider_ids", ids]}
        account = {"$literal": receipt.provider_account}
        fields["provider_account"] = {"$ifNull": ["$provider_account", account]}
    return [{"$set": fields}]
