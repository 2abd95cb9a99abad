"""The events of one batch: gathered as outcomes are written, published together."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from services.messaging.clients.events import EventBatch
from services.messaging.consumer.tools import Tools, insist
from services.messaging.domain.happenings import Told, happenings_of, shared_attributes
from services.messaging.domain.ledger import Outcome, Row
from services.messaging.domain.work import Recipient, Work

# A slow batch tells at least this often.
PUBLISH_SECONDS: Final = 1.0


class Telling:
    """Events of the outcomes of one batch."""

    def __init__(self, tools: Tools, work: Work) -> None:
        self._tools = tools
        self._work = work
        shared = shared_attributes(work.origin, work.treatment_id, work.message_type)
        self._batch = EventBatch(work.origin.app_id, shared)
        self._published_at = asyncio.get_running_loop().time()
        self.source = ""

    def outcomes(self, outcomes: Iterable[tuple[Recipient, Outcome]], at: datetime) -> None:
        """Note outcomes that are written, or about to be."""
        for recipient, outcome in outcomes:
            self._tell(recipient, outcome, at)

    def row(self, recipient: Recipient, row: Row) -> None:
        """Note once more what the ledger says of a row: same ids, same time."""
        outcome = Outcome(
            row.message_id,
            row.state,
            row.reason,
            row.detail,
            row.provider_ids,
            row.parts,
            attributes=row.attributes,
        )
        self._tell(recipient, outcome, row.update_time)

    def _tell(self, recipient: Recipient, outcome: Outcome, at: datetime) -> None:
        work = self._work
        context = {**work.context, **(recipient.context or {})}
        told = Told(
            outcome.message_id,
            recipient.client_id,
            recipient.user_id,
            recipient.address,
            outcome.state,
            outcome.reason,
            outcome.detail,
            outcome.parts,
            self.source,
            context,
            outcome.attributes,
        )
        self._batch.extend(
            happenings_of(
                told,
                work.channel_type,
                at,
                campaign=bool(work.origin.campaign_id),
                delivers=self._tools.policy.delivered_on_acceptance,
            )
        )

    async def publish_now_and_then(self) -> None:
        """Publish what there is if the last time is a second ago."""
        if asyncio.get_running_loop().time() - self._published_at > PUBLISH_SECONDS:
            await self.publish()

    async def publish(self) -> None:
        """Publish everything; waits until the broker has it."""
        await insist(lambda: self._tools.events.publish(self._batch))
        self._published_at = asyncio.get_running_loop().time()
