"""Callbacks of providers: whose signature it must be, and what becomes of what they say."""

from collections.abc import Awaitable, Callable, Mapping

from libs.errors import NotBuilt, SignatureInvalid
from services.messaging.domain.callbacks import Callback, Channel, Report
from services.messaging.domain.outbound import InboundSms, MailReport
from services.messaging.domain.outcomes import EMAIL, SMS
from services.messaging.store.channels import ChannelStore
from services.messaging.usecases.inbound import InboundTexts
from services.messaging.usecases.receipts import Receipts

Read = Callable[[Channel, Callback], Awaitable[list[Report]]]
"""Checks a callback with the credentials of its channel and says what it reports.

Raises SignatureInvalid; an empty list is a callback that says nothing of use.
"""


class Callbacks:
    """Takes callbacks in; the same one may come again. `sources` is who may call back."""

    def __init__(
        self,
        sources: Mapping[str, Read],
        channels: ChannelStore,
        receipts: Receipts,
        inbound: InboundTexts,
    ) -> None:
        self._sources = sources
        self._channels = channels
        self._receipts = receipts
        self._inbound = inbound

    async def take(self, source: str, callback: Callback) -> None:
        """Everything that it says is in force when this returns. Raises SignatureInvalid."""
        read = self._sources.get(source)
        if read is None:
            raise NotBuilt(f"callbacks of {source}")
        channel = await self._channel(callback)
        if channel is None:
            # Whoever asks does not learn which applications there are.
            raise SignatureInvalid()
        for report in await read(channel, callback):
            await self._act(callback, report)

    async def _channel(self, callback: Callback) -> Channel | None:
        if callback.channel_type == EMAIL:
            return await self._channels.email(callback.app_id)
        if callback.channel_type == SMS:
            return await self._channels.sms(callback.app_id)
        return await self._channels.channel(callback.app_id, callback.channel_type)

    async def _act(self, callback: Callback, report: Report) -> None:
        if isinstance(report, InboundSms):
            await self._inbound.hear(report)
        elif isinstance(report, MailReport):
            await self._receipts.mail(report, callback.app_id)
        else:
            await self._receipts.called_back(callback.app_id, callback.channel_type, report)
