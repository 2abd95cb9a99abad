"""Dispatches as the gateway handles them: contents, recipients, controls, how they stand."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakValueDictionary

from services.messaging.clients.outbox import Cuts
from services.messaging.domain.accounts import OwnAccount, sms_limits
from services.messaging.domain.batches import routing_key
from services.messaging.domain.dispatch import CONTENT_KEPT, Control, Dispatch, seconds_left
from services.messaging.domain.families import CUSTOM, PUSH_TYPES
from services.messaging.domain.ledger import FINAL
from services.messaging.domain.recipients import EMAIL, SMS
from services.messaging.domain.voice_channel import VoiceChannel
from services.messaging.store.channels import ChannelStore, Shown
from services.messaging.store.contents import ContentStore
from services.messaging.store.dispatches import DispatchStore
from services.messaging.store.ledger import Count, LedgerStore
from services.messaging.usecases.guarding import Guard
from services.messaging.usecases.refusals import Refusals
from services.messaging.usecases.sharing import Sharing
from services.messaging.usecases.submission import Refused, Submission, Submitted

KEPT_SECONDS: Final = 1.0
_MOST_KEPT: Final = 1000
_NO_END: Final = timedelta(days=365)
_QUEUED: Final = frozenset({EMAIL, SMS, CUSTOM, *PUSH_TYPES})


@dataclass(frozen=True, slots=True)
class Standing:
    """How the messages of a dispatch stand."""

    counts: Sequence[Count]
    open_count: int
    seconds_left: int


@dataclass(frozen=True, slots=True)
class Stores:
    """Where dispatches live."""

    dispatches: DispatchStore
    contents: ContentStore
    ledger: LedgerStore
    channels: ChannelStore


class Dispatching:
    """What the gateway does with dispatches."""

    def __init__(
        self,
        stores: Stores,
        submission: Submission,
        refusals: Refusals,
        sharing: Sharing,
        own_account: OwnAccount,
        guard: Guard,
    ) -> None:
        self._guard = guard
        self._stores = stores
        self._refusals = refusals
        self._submission = submission
        self._sharing = sharing
        self._own_account = own_account
        self._standings: dict[str, tuple[float, Standing]] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def create(
        self, dispatch: Dispatch, bodies: Mapping[str, bytes], now: datetime
    ) -> Dispatch:
        """Keep a dispatch and its contents; a repeat returns what is there."""
        until = (dispatch.expire_time or now + _NO_END) + CONTENT_KEPT
        await self._stores.contents.keep(dispatch.origin.app_id, bodies, until)
        return await self._stores.dispatches.create(dispatch, now)

    async def get(self, dispatch_id: str) -> Dispatch | None:
        """One dispatch."""
        return await self._stores.dispatches.get(dispatch_id)

    async def disabled_channels(self, dispatch: Dispatch) -> list[str]:
        """Channels of the content that may not send."""
        enabled = await self._stores.channels.enabled(dispatch.origin.app_id)
        said_on = {one.channel_type for one in dispatch.contents}
        return sorted(said_on - enabled - {CUSTOM})  # which needs no settings

    async def submit(self, cuts: Cuts, refused: Sequence[Refused], now: datetime) -> Submitted:
        """Take recipients in; see `Submission`. Tells the world of those that get nothing."""
        done = await self._submission.submit(cuts, refused, now)
        await self._refusals.tell(done.unsent, now)
        return done

    async def depth(self, channels: Collection[str], message_type: str) -> int:
        """Messages waiting in, and for, the fullest of the channels' lanes."""
        lanes = {routing_key(one, message_type) for one in channels if one in _QUEUED}
        return max(await asyncio.gather(*(self._sharing.depth(lane) for lane in lanes)), default=0)

    async def control(self, dispatch: Dispatch, control: Control, now: datetime) -> None:
        """Hold, release or cancel. What waits in the ledger is cancelled before this returns."""
        app_id, dispatch_id = dispatch.origin.app_id, dispatch.dispatch_id
        await self._stores.dispatches.control(app_id, dispatch_id, control, now)
        if control is Control.CANCEL:
            await self._stores.ledger.cancel(dispatch_id)

    async def standing(self, dispatch: Dispatch) -> Standing:
        """How the messages stand, not older than a second; callers at the same time share it."""
        lock = self._locks.setdefault(dispatch.dispatch_id, asyncio.Lock())
        async with lock:
            told_at, known = self._standings.get(dispatch.dispatch_id, (0.0, None))
            if known is None or time.monotonic() - told_at > KEPT_SECONDS:
                if len(self._standings) >= _MOST_KEPT:
                    self._standings.clear()
                known = await self._counted(dispatch)
                self._standings[dispatch.dispatch_id] = (time.monotonic(), known)
            return known

    async def _counted(self, dispatch: Dispatch) -> Standing:
        counts = await self._stores.ledger.counts(dispatch.dispatch_id)
        await self._guard.look(dispatch, counts)
        rates = await self._rates(dispatch)
        waiting = [
            (one.state, one.channel_type, one.count * _parts(dispatch, one)) for one in counts
        ]
        open_count = sum(one.count for one in counts if one.state not in FINAL)
        return Standing(counts, open_count, seconds_left(waiting, rates))

    async def _rates(self, dispatch: Dispatch) -> Mapping[str, float]:
        """Parts a second by channel: the lowest limit in force."""
        app_id, own = dispatch.origin.app_id, dispatch.messages_per_second
        sms, email = await asyncio.gather(
            self._stores.channels.shown_sms(app_id), self._stores.channels.shown_email(app_id)
        )
        limits_of_texts = sms_limits(app_id, sms[1] if sms else None, self._own_account)
        rates = {SMS: [one.rate_per_second for one in limits_of_texts], EMAIL: []}
        if email and email[1].messages_per_second:
            rates[EMAIL].append(float(email[1].messages_per_second))
        rates |= await self._push_limits(dispatch)
        for limits in rates.values():
            if own:
                limits.append(float(own))
        return {channel: min(limits) for channel, limits in rates.items() if limits}

    async def _push_limits(self, dispatch: Dispatch) -> dict[str, list[float]]:
        """The limit of each push channel that the dispatch speaks on; none where there is none."""
        app_id = dispatch.origin.app_id
        types = sorted({one.channel_type for one in dispatch.contents} & set(PUSH_TYPES))
        found = await asyncio.gather(*(self._stores.channels.shown(app_id, one) for one in types))
        return {
            channel_type: [float(rate)] if (rate := _messages_per_second(shown)) else []
            for channel_type, shown in zip(types, found, strict=True)
        }


def _messages_per_second(shown: Shown | None) -> int:
    if shown is None or isinstance(shown.channel, VoiceChannel):
        return 0
    return shown.channel.messages_per_second


def _parts(dispatch: Dispatch, count: Count) -> int:
    content = dispatch.content_of(count.treatment_id, count.channel_type)
    return content.parts if content else 1
