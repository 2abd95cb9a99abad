"""Taking recipients in: batch, ledger rows, queue; repeats at any point change nothing twice.

The order is batch, rows, publish, mark; what has to wait for its turn in the lane is only marked as
waiting. A row therefore always has its batch, and whatever a crash leaves behind is found by the
gateway's clock or finished by the caller's repeat.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from services.messaging.clients.outbox import Cut, Cuts, Frame, Outbox, only
from services.messaging.domain.batches import Batch, Sorted, sort_known
from services.messaging.domain.ledger import MessageIds, Reason, State
from services.messaging.store.batches import BatchStore
from services.messaging.store.ledger import Entry, LedgerStore, Shared
from services.messaging.usecases.sharing import Sharing

PATIENCE_SECONDS: Final = 5.0
Rows = list[tuple[Shared, Sequence[Entry]]]


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a call did. `unsent` are all rows of recipients that get nothing, repeated ones too."""

    queued_count: int
    repeated_count: int
    duplicate_count: int
    unsent: Rows = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Refused:
    """A recipient that gets nothing, and why."""

    frame: Frame
    endpoint_id: str
    address: str
    reason: Reason


class Submission:
    """Takes recipients in."""

    def __init__(
        self, ledger: LedgerStore, batches: BatchStore, outbox: Outbox, sharing: Sharing
    ) -> None:
        self._ledger = ledger
        self._batches = batches
        self._outbox = outbox
        self._sharing = sharing

    async def submit(self, cuts: Cuts, refused: Sequence[Refused], now: datetime) -> Submitted:
        """Take everything in. Raises when it may not have been.

        When this returns the broker has it, or it waits for its turn in its lane.
        """
        known_batches = await self._batches.insert([cut.batch for cut in cuts.cuts])
        queued = [(_queued(cut, now), cut.recipients) for cut in cuts.cuts]
        told = _refusals([*refused, *_refused_in(cuts)], now)
        new, skipped = await asyncio.gather(self._ledger.insert(queued), self._ledger.insert(told))
        if not new.known and not known_batches:
            await self._publish([cut.batch for cut in cuts.cuts], now)
            fresh = _new_duplicates(told, skipped.known)
            repeated = len(skipped.known) + cuts.repeated_count
            return Submitted(new.new_count, repeated, fresh, told)
        sorted_cuts = await self._sorted(cuts.cuts, new.known)
        taken = _duplicates(sorted_cuts, now)
        duplicates = await self._ledger.insert(taken)
        await self._settle(sorted_cuts, known_batches, new.known, now)
        repeated = sum(found.repeated for _, found in sorted_cuts) + cuts.repeated_count
        return Submitted(
            new.new_count,
            repeated + len(duplicates.known) + len(skipped.known),
            duplicates.new_count + _new_duplicates(told, skipped.known),
            told + taken,
        )

    async def _sorted(self, cuts: Sequence[Cut], known: frozenset[str]) -> list[tuple[Cut, Sorted]]:
        places = await self._ledger.places_of(known) if known else {}
        return [(cut, sort_known(cut.batch.batch_id, cut.recipients, places)) for cut in cuts]

    async def _settle(
        self,
        sorted_cuts: Sequence[tuple[Cut, Sorted]],
        known_batches: Mapping[str, bool],
        known_rows: frozenset[str],
        now: datetime,
    ) -> None:
        due, smaller, empty = [], {}, []
        for cut, found in sorted_cuts:
            batch = cut.batch
            if not found.stay:
                empty.append(batch.batch_id)
                continue
            if len(found.stay) < len(cut.recipients):
                batch = replace(batch, body=only(batch.body, found.stay))
                smaller[batch.batch_id] = batch.body
            has_new = bool(found.stay - known_rows)
            if has_new or not known_batches.get(batch.batch_id, False):
                due.append(batch)
        await asyncio.gather(self._batches.replace(smaller), self._batches.remove(empty))
        await self._publish(due, now)

    async def _publish(self, batches: Sequence[Batch], now: datetime) -> None:
        if due := await self._sharing.admit(batches):
            await self._outbox.publish(due, PATIENCE_SECONDS)
            await self._batches.mark_published([one.batch_id for one in due], now)


def _queued(cut: Cut, now: datetime) -> Shared:
    return replace(_shared(cut.frame, cut.batch.batch_id, now), contexts=cut.contexts)


def _shared(frame: Frame, batch_id: str, now: datetime, reason: Reason = Reason.NONE) -> Shared:
    return Shared(
        frame.origin,
        frame.dispatch_id,
        batch_id,
        frame.channel_type,
        frame.treatment_id,
        frame.message_type,
        now,
        frame.expire_time,
        State.SKIPPED if reason else State.QUEUED,
        reason,
    )


def _refused_in(cuts: Cuts) -> Iterable[Refused]:
    for frame, endpoint_id in cuts.missing:
        yield Refused(frame, endpoint_id, "", Reason.MISSING_ADDRESS)
    for frame, endpoint_id, address in cuts.duplicates:
        yield Refused(frame, endpoint_id, address, Reason.DUPLICATE_ADDRESS)


def _new_duplicates(told: Rows, known: frozenset[str]) -> int:
    return sum(
        shared.reason is Reason.DUPLICATE_ADDRESS and message_id not in known
        for shared, entries in told
        for message_id, _, _ in entries
    )


def _refusals(refused: Iterable[Refused], now: datetime) -> Rows:
    # By endpoint, never by address: the address of one that is refused may be another's too.
    return [
        (
            _shared(one.frame, "", now, one.reason),
            [_unsent(one.frame, one.endpoint_id, one.address)],
        )
        for one in refused
    ]


def _duplicates(sorted_cuts: Sequence[tuple[Cut, Sorted]], now: datetime) -> Rows:
    return [
        (
            _shared(cut.frame, "", now, Reason.DUPLICATE_ADDRESS),
            [
                _unsent(cut.frame, endpoint_id, address)
                for message_id, endpoint_id, address in cut.recipients
                if message_id in found.duplicates
            ],
        )
        for cut, found in sorted_cuts
        if found.duplicates
    ]


def _unsent(frame: Frame, endpoint_id: str, address: str) -> Entry:
    ids = MessageIds(frame.dispatch_id, frame.channel_type)
    return (ids.of_endpoint(endpoint_id or address), endpoint_id, address)
