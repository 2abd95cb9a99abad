"""What becomes of late reports: the ledger first, then the suppression list, then the events."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from libs.clock import Clock
from services.messaging.clients.events import EventPublisher
from services.messaging.domain.happenings import (
    Happening,
    complaint_happening,
    happenings_of,
    receipt_happening,
    shared_attributes,
    stage_happening,
    told_of,
)
from services.messaging.domain.ledger import Reason, Receipt, Row, State, receivable
from services.messaging.domain.outbound import MailReport, PartReceipt
from services.messaging.domain.outcomes import EMAIL
from services.messaging.domain.receipts import bounce_receipt, sms_receipt
from services.messaging.store.complaints import ComplaintStore
from services.messaging.store.ledger import LedgerStore
from services.messaging.store.suppressions import STOP_KEYWORD, Suppression, SuppressionStore

# A receipt may overtake the outcome of its own submission; after this it is of nobody.
UNKNOWN_SECONDS: Final = 60.0
_UNKNOWN_KEPT: Final = 100_000


class Receipts:
    """Takes reports in. Every method may be called again with the same report."""

    def __init__(
        self,
        ledger: LedgerStore,
        suppressions: SuppressionStore,
        complaints: ComplaintStore,
        events: EventPublisher,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._suppressions = suppressions
        self._complaints = complaints
        self._events = events
        self._clock = clock
        self._unknown: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def sms(self, part: PartReceipt) -> bool:
        """Apply the receipt of a part; False when its message is not known yet: send it later."""
        receipt = sms_receipt(part)
        if receipt is None:
            return True
        row = await self._applied(receipt)
        if row is None:
            return self._is_nobodys(part)
        self._unknown.pop((part.account, part.provider_id), None)
        if row.state is receipt.state:
            told = told_of(row, part.source)
            await self._tell(row, receipt_happening(told, row.channel_type, row.update_time))
        return True

    async def called_back(self, app_id: str, channel_type: str, receipt: Receipt) -> None:
        """Apply what a provider said of a message of the application; of others it says nothing.

        The send is told first when perhaps nobody told it: that a provider speaks of the message
        proves it, and if the telling fails the provider comes again.
        """
        before = await self._meant(receipt)
        if before is None or (before.origin.app_id, before.channel_type) != (app_id, channel_type):
            return
        if receipt.reason is Reason.OPT_OUT:
            await self._suppress(before, STOP_KEYWORD)
        if before.state in receivable(receipt.state) - {State.SENT}:
            await self._tell(before, _sent(before))
        if receipt.stage:
            now = self._clock.now()
            await self._tell(before, [stage_happening(told_of(before), receipt.stage, now)])
        after = await self._ledger.receive(receipt) or await self._read(before)
        if after.state is receipt.state and after.state is not State.SENT:
            told = told_of(after)
            await self._tell(after, receipt_happening(told, channel_type, after.update_time))

    async def mail(self, report: MailReport, app_id: str = "") -> None:
        """Apply a bounce or complaint; of a message nobody knows it says nothing.

        With an application, of messages of others neither.
        """
        rows = await self._ledger.rows_of([report.message_id])
        row = rows.get(report.message_id)
        if row is None or row.channel_type != EMAIL or app_id not in {"", row.origin.app_id}:
            return
        if report.kind == "complaint":
            await self._suppress(row, "COMPLAINT")
            await self._complaints.add(row, self._clock.now())
            await self._tell(row, [complaint_happening(told_of(row), self._clock.now())])
            return
        receipt = bounce_receipt(report)
        if receipt is None:
            return
        if receipt.reason is Reason.HARD_BOUNCE:
            await self._suppress(row, "BOUNCE")
        after = await self._ledger.receive(receipt) or await self._read(row)
        if after.state is State.FAILED:
            await self._tell(after, _bounced(after, row.state))

    async def _applied(self, receipt: Receipt) -> Row | None:
        """The row after the receipt, or as it is when the receipt came before."""
        row = await self._ledger.receive(receipt)
        if row is not None:
            return row
        known = await self._ledger.of_part(receipt)
        if known is None:
            return None
        # The outcome may have been written between the two looks: then the receipt is still due.
        return await self._ledger.receive(receipt) or known

    async def _meant(self, receipt: Receipt) -> Row | None:
        if not receipt.message_id:
            return await self._ledger.of_part(receipt)
        rows = await self._ledger.rows_of([receipt.message_id])
        return rows.get(receipt.message_id)

    async def _read(self, row: Row) -> Row:
        return (await self._ledger.rows_of([row.message_id])).get(row.message_id, row)

    async def _suppress(self, row: Row, reason: str) -> None:
        await self._suppressions.suppress([Suppression(row.channel_type, row.address, reason)])

    def _is_nobodys(self, part: PartReceipt) -> bool:
        now = asyncio.get_running_loop().time()
        key = (part.account, part.provider_id)
        since = self._unknown.setdefault(key, now)
        if len(self._unknown) > _UNKNOWN_KEPT:
            self._unknown.popitem(last=False)
        if now - since <= UNKNOWN_SECONDS:
            return False
        del self._unknown[key]
        return True

    async def _tell(self, row: Row, happenings: Iterable[Happening]) -> None:
        shared = shared_attributes(row.origin, row.treatment_id, row.message_type)
        await self._events.tell(row.origin.app_id, shared, happenings)


def _sent(row: Row) -> list[Happening]:
    """The events of a send whose worker may have been lost before it told them."""
    sent = replace(row, state=State.SENT, reason=Reason.NONE, detail="")
    is_campaign = bool(row.origin.campaign_id)
    return happenings_of(
        told_of(sent), row.channel_type, row.update_time, campaign=is_campaign, delivers=False
    )


def _bounced(row: Row, before: State) -> list[Happening]:
    """The events of a bounce. Nobody has told the send of a message that was UNKNOWN."""
    told, is_campaign = told_of(row), bool(row.origin.campaign_id)
    if before is not State.UNKNOWN:
        return receipt_happening(told, EMAIL, row.update_time)
    return happenings_of(told, EMAIL, row.update_time, campaign=is_campaign, delivers=False)
