"""Telling of campaign messages that are never sent and that no worker ever sees (spec 3.5)."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from services.messaging.clients.events import EventPublisher
from services.messaging.domain.happenings import CAMPAIGN_SEND, Happening, shared_attributes
from services.messaging.domain.ledger import Origin, Reason, Row, State
from services.messaging.domain.outcomes import campaign_send_status
from services.messaging.store.ledger import Entry, Shared


class Refusals:
    """Publishes `_campaign.send` with the cause. A repeat is the same event and counts once."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events

    async def tell(self, unsent: Iterable[tuple[Shared, Sequence[Entry]]], now: datetime) -> None:
        """Tell of rows written as SKIPPED; direct sends are told to their caller instead."""
        by_group: dict[tuple[Origin, str, str], list[Happening]] = {}
        for shared, entries in unsent:
            if shared.origin.campaign_id:
                group = (shared.origin, shared.treatment_id, shared.message_type)
                by_group.setdefault(group, []).extend(
                    _happening(message_id, endpoint_id or address, shared, now)
                    for message_id, endpoint_id, address in entries
                )
        await self._publish(by_group)

    async def tell_expired(self, rows: Iterable[Row], now: datetime) -> None:
        """Tell of rows that waited too long."""
        by_group: dict[tuple[Origin, str, str], list[Happening]] = {}
        for row in rows:
            if row.origin.campaign_id and row.reason is Reason.EXPIRED:
                group = (row.origin, row.treatment_id, row.message_type)
                happening = _of(
                    row.message_id,
                    row.endpoint_id or row.address,
                    row.channel_type,
                    row.reason,
                    now,
                )
                by_group.setdefault(group, []).append(happening)
        await self._publish(by_group)

    async def _publish(self, by_group: dict[tuple[Origin, str, str], list[Happening]]) -> None:
        for (origin, treatment_id, message_type), happenings in by_group.items():
            shared = shared_attributes(origin, treatment_id, message_type)
            await self._events.tell(origin.app_id, shared, happenings)


def _happening(message_id: str, client_id: str, shared: Shared, now: datetime) -> Happening:
    return _of(message_id, client_id, shared.channel_type, shared.reason, now)


def _of(
    message_id: str, client_id: str, channel_type: str, reason: Reason, now: datetime
) -> Happening:
    attributes = {
        "message_id": message_id,
        "delivery_type": channel_type,
        "campaign_send_status": campaign_send_status(State.SKIPPED, reason),
    }
    return Happening(CAMPAIGN_SEND, message_id, client_id, now, attributes=attributes)
