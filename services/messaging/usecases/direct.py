"""Sending directly: gates, admission, contents, ledger and queue, one result for each recipient."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from libs.clock import Clock
from libs.smpp.gsm import count_parts
from services.messaging.clients.outbox import Cuts, Frame, Recipient, content_id
from services.messaging.domain.accounts import OwnAccount, admission_limits, sms_limits
from services.messaging.domain.direct import (
    DeliveryStatus,
    Gates,
    Result,
    Target,
    admitted,
    resolve,
    temporary,
)
from services.messaging.domain.dispatch import CONTENT_KEPT, DIRECT_LIFETIME
from services.messaging.domain.holds import is_held
from services.messaging.domain.ledger import MessageIds, Origin
from services.messaging.domain.limits import Limit, LimiterUnavailable
from services.messaging.domain.recipients import SMS, VOICE
from services.messaging.store.channels import ChannelStore
from services.messaging.store.contents import ContentStore
from services.messaging.store.holds import HoldStore
from services.messaging.store.suppressions import SuppressionStore
from services.messaging.usecases.pacing import Pacer
from services.messaging.usecases.submission import Submission

US: Final = 1_000_000
_DAY_SECONDS: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Content:
    """What is said on one channel: its serialized form, its class, its text before rendering."""

    body: bytes = field(repr=False)
    message_type: str
    text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class DirectCall:
    """A direct send. `away` tells for channels whose content could not be had what to answer.

    `silent` are contents of channels that say nothing, for recipients with a text of their own.
    """

    app_id: str
    request_id: str
    dispatch_id: str
    contents: Mapping[str, Content]
    silent: Mapping[str, Content]
    away: Mapping[str, Result]
    context: Mapping[str, str]
    trace_id: str
    validate_only: bool
    lifetime: timedelta = DIRECT_LIFETIME

    def content_of(self, channel_type: str) -> Content:
        return self.contents.get(channel_type) or self.silent[channel_type]


@dataclass(frozen=True, slots=True)
class Lists:
    """The stores that know who may be sent to."""

    suppressions: SuppressionStore
    channels: ChannelStore
    holds: HoldStore


@dataclass(frozen=True, slots=True)
class Quotas:
    """What the installation allows: its account's texts, and calls to one number in 24 hours."""

    own_account: OwnAccount
    calls_per_recipient: int


class DirectSender:
    """Sends directly."""

    def __init__(
        self,
        submission: Submission,
        contents: ContentStore,
        lists: Lists,
        pacer: Pacer,
        clock: Clock,
        quotas: Quotas,
    ) -> None:
        self._submission = submission
        self._contents = contents
        self._lists = lists
        self._pacer = pacer
        self._clock = clock
        self._quotas = quotas

    async def send(
        self, call: DirectCall, targets: Sequence[Target], recipients: Sequence[Recipient]
    ) -> list[Result]:
        """Results in the order of the targets; `recipients` are the queue's form of the same."""
        results = resolve(targets, await self._gates(call, targets))
        open_places = [place for place, result in enumerate(results) if result is None]
        if not call.validate_only:
            above = await asyncio.gather(
                self._throttled(call, targets, open_places),
                self._called_enough(targets, open_places),
            )
            for place, refused in {**above[0], **above[1]}.items():
                results[place] = refused
            open_places = [place for place in open_places if results[place] is None]
            await self._submit(call, targets, recipients, open_places)
        for place in open_places:
            results[place] = _accepted(call, targets[place])
        return [result for result in results if result is not None]

    async def enabled(self, app_id: str) -> frozenset[str]:
        """Channels of an application that may send."""
        return await self._lists.channels.enabled(app_id)

    async def _gates(self, call: DirectCall, targets: Sequence[Target]) -> Gates:
        channels = {target.channel_type for target in targets if target.channel_type}
        lists = self._lists
        enabled, holds = await asyncio.gather(
            lists.channels.enabled(call.app_id), lists.holds.of(call.app_id)
        )
        held = frozenset(channel for channel in channels if is_held(holds, channel))
        blocked = await asyncio.gather(
            *(
                lists.suppressions.blocked(
                    call.app_id,
                    channel,
                    [t.endpoint_id for t in targets if t.channel_type == channel],
                    [t.normal for t in targets if t.channel_type == channel],
                )
                for channel in sorted(channels)
            ),
        )
        suppressed = {
            (channel, address): reason
            for channel, found in zip(sorted(channels), blocked, strict=True)
            for address, reason in found.addresses.items()
        }
        opted_out = frozenset[str]().union(*(found.endpoint_ids for found in blocked))
        return Gates(frozenset(call.contents), call.away, enabled, held, opted_out, suppressed)

    async def _throttled(
        self, call: DirectCall, targets: Sequence[Target], places: Sequence[int]
    ) -> Mapping[int, Result]:
        """Text messages above the rate, by place (spec 12.0 X1)."""
        texts = [place for place in places if targets[place].channel_type == SMS]
        if not texts:
            return {}
        parts = [_parts(call, targets[place]) for place in texts]
        channel = await self._lists.channels.shown_sms(call.app_id)
        limits = sms_limits(call.app_id, channel[1] if channel else None, self._quotas.own_account)
        try:
            admission = await self._pacer.try_acquire(admission_limits(limits), sum(parts))
        except LimiterUnavailable:
            return dict.fromkeys(texts, temporary("the limiter does not answer; try again"))
        seconds = admission.retry_after_us / US
        rate = min(one.count for one in limits)
        refused = Result(
            DeliveryStatus.THROTTLED,
            f"above {rate} message parts a second; try again in {seconds:.1f} s",
        )
        fits = admitted(parts, admission.granted)
        return {place: refused for place, fit in zip(texts, fits, strict=True) if not fit}

    async def _called_enough(
        self, targets: Sequence[Target], places: Sequence[int]
    ) -> Mapping[int, Result]:
        """Calls above what one number gets in 24 hours, by place (spec 6.6); 0 calls any number."""
        most = self._quotas.calls_per_recipient
        calls = [place for place in places if most and targets[place].channel_type == VOICE]
        limits = [Limit(f"voice/to/{targets[one].normal}", most, _DAY_SECONDS) for one in calls]
        try:
            admissions = await asyncio.gather(*(self._pacer.try_acquire([x], 1) for x in limits))
        except LimiterUnavailable:
            return dict.fromkeys(calls, temporary("the limiter does not answer; try again"))
        refused = Result(
            DeliveryStatus.THROTTLED, f"above {most} calls to one recipient in 24 hours"
        )
        return {p: refused for p, one in zip(calls, admissions, strict=True) if not one.granted}

    async def _submit(
        self,
        call: DirectCall,
        targets: Sequence[Target],
        recipients: Sequence[Recipient],
        places: Sequence[int],
    ) -> None:
        if not places:
            return
        now = self._clock.now()
        channels = sorted({targets[place].channel_type for place in places})
        frames = {channel: _frame(call, channel, now) for channel in channels}
        bodies = {frames[c].content_id: call.content_of(c).body for c in channels}
        await self._contents.keep(call.app_id, bodies, now + call.lifetime + CONTENT_KEPT)
        cuts = Cuts()
        for channel, frame in frames.items():
            here = [recipients[p] for p in places if targets[p].channel_type == channel]
            cuts.add(frame, here, now)
        await self._submission.submit(cuts, (), now)


def _frame(call: DirectCall, channel_type: str, now: datetime) -> Frame:
    content = call.content_of(channel_type)
    return Frame(
        call.dispatch_id,
        Origin(call.app_id, request_id=call.request_id),
        channel_type,
        content.message_type,
        content_id(call.app_id, content.body),
        "",
        now + call.lifetime,
        context=dict(call.context),
        trace_id=call.trace_id,
    )


def _parts(call: DirectCall, target: Target) -> int:
    # Before rendering: variables make it a little more or less. The worker counts exactly.
    return count_parts(target.body_override or call.content_of(SMS).text).parts


def _accepted(call: DirectCall, target: Target) -> Result:
    if call.validate_only:
        return Result(DeliveryStatus.SUCCESSFUL, "would be sent", address=target.address)
    ids = MessageIds(call.dispatch_id, target.channel_type)
    message_id = ids.of_address(target.normal)
    return Result(DeliveryStatus.SUCCESSFUL, f"MessageId: {message_id}", message_id, target.address)
