"""What an operator decides of UNKNOWN messages: send again, count as failed, count as sent."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final

from services.messaging.clients.events import EventPublisher
from services.messaging.domain.happenings import (
    Happening,
    happenings_of,
    shared_attributes,
    told_of,
)
from services.messaging.domain.ledger import Origin, Reason, Row, State
from services.messaging.store.ledger import LedgerStore

AT_ONCE: Final = 1000


class Resolution:
    """Decides UNKNOWN rows. No ids means all of the dispatch; each answer is how many there were.

    `delivers` is whether a mail counts as delivered when the mail server takes it.
    """

    def __init__(self, ledger: LedgerStore, events: EventPublisher, *, delivers: bool) -> None:
        self._ledger = ledger
        self._events = events
        self._delivers = delivers

    async def resend(self, app_id: str, dispatch_id: str, message_ids: Collection[str]) -> int:
        """Send them again."""
        return await self._ledger.resend(app_id, dispatch_id, message_ids)

    async def write_off(self, app_id: str, dispatch_id: str, message_ids: Collection[str]) -> int:
        """Count them as failed."""
        return await self._ledger.write_off(app_id, dispatch_id, message_ids)

    async def mark_sent(self, app_id: str, dispatch_id: str, message_ids: Collection[str]) -> int:
        """Count them as sent, and tell what a worker tells of a message that was sent.

        Told first: a crash in between leaves rows that are asked for again, and an event that
        comes twice has the same id and counts once.
        """
        count = 0
        while rows := await self._ledger.unknown(app_id, dispatch_id, message_ids, AT_ONCE):
            await self._tell(rows)
            ids = [row.message_id for row in rows]
            count += await self._ledger.mark_sent(app_id, dispatch_id, ids)
        return count

    async def _tell(self, rows: Iterable[Row]) -> None:
        groups: dict[tuple[Origin, str, str], list[Happening]] = {}
        for row in rows:
            key = (row.origin, row.treatment_id, row.message_type)
            groups.setdefault(key, []).extend(self._happenings(row))
        for (origin, treatment_id, message_type), happenings in groups.items():
            shared = shared_attributes(origin, treatment_id, message_type)
            await self._events.tell(origin.app_id, shared, happenings)

    def _happenings(self, row: Row) -> list[Happening]:
        sent = replace(row, state=State.SENT, reason=Reason.NONE, detail="")
        # It was sent when it was lost, not when somebody looked.
        return happenings_of(
            told_of(sent),
            row.channel_type,
            row.update_time,
            campaign=bool(row.origin.campaign_id),
            delivers=self._delivers,
        )
