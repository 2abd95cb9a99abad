"""One batch from the queue to its end: checks in the order of architecture.md 4, then windows."""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from touchpoint.messaging.v1 import message_pb2

from libs.bus.connection import pause
from services.messaging.clients.events import Token
from services.messaging.consumer.decoding import recipients_of, work_of
from services.messaging.consumer.telling import Telling
from services.messaging.consumer.tools import Leaving, Tools, insist
from services.messaging.consumer.window import Sent, Windows, block_reason, expired, limits_of
from services.messaging.domain.channels import EmailChannel, SmsChannel
from services.messaging.domain.dispatch import Control
from services.messaging.domain.keywords import is_keyword_reply
from services.messaging.domain.ledger import Outcome, Reason, State
from services.messaging.domain.recipients import address_fault
from services.messaging.domain.rendering import RenderingFailed
from services.messaging.domain.voice_channel import VoiceChannel
from services.messaging.domain.webhooks import CustomChannel
from services.messaging.domain.work import Recipient, Words
from services.messaging.store.suppressions import Suppression
from services.messaging.usecases.composition import (
    Composed,
    Composer,
    EmailComposer,
    SmsComposer,
)
from services.messaging.usecases.custom_composition import CustomComposer
from services.messaging.usecases.providers import Provider
from services.messaging.usecases.push_composition import PushComposer
from services.messaging.usecases.voice_composition import VoiceComposer

# Rows of a paced channel are claimed this long before their slot, so that an opt-out or a hold
# still stops them and few are UNKNOWN after a crash.
PACED_SECONDS: Final = 0.25
_ENDS: Final = {
    Control.HOLD: (State.HELD, Reason.NONE),
    Control.CANCEL: (State.CANCELLED, Reason.STOPPED),
}
Refusals = list[tuple[Recipient, Outcome]]


class BatchRun:
    """A batch in a worker's hands."""

    def __init__(self, tools: Tools, batch: message_pb2.SendBatch, *, urgent: bool) -> None:
        self._tools = tools
        self._batch = batch
        self._urgent = urgent
        self._work = work_of(batch)
        self._is_reply = is_keyword_reply(self._work.dispatch_id, self._work.trace_id)
        self._telling = Telling(tools, self._work)
        self._windows = Windows(tools, self._work)
        self._left: deque[Recipient] = deque()
        self._made: list[Composed] = []  # the next window, made while the last one was claimed

    async def run(self, *, repeated: bool) -> None:
        """Bring every message of the batch to an outcome, then tell. Raises Leaving at a stop."""
        tools, work = self._tools, self._work
        prepared = await tools.contents.of(work.content_id, work.channel_type)
        recipients = recipients_of(self._batch, prepared.read)
        try:
            self._left.extend(await self._open(recipients) if repeated else recipients)
            if prepared.words is None:
                failure = prepared.failure
                reason = failure.reason if failure else Reason.RENDERING_FAILURE
                await self._close_all(State.SKIPPED, reason, failure.detail if failure else "")
                return
            await self._drop_blocked()
            await self._drop_invalid()
            await self._send_all(prepared.words)
        finally:
            await self._telling.publish()

    async def _open(self, recipients: Sequence[Recipient]) -> list[Recipient]:
        """Those still to be sent; of the others the events are told again, in case they were lost.

        Event ids are derived from message ids, so who counts them counts the repeats once.
        """
        rows = await self._tools.ledger.rows_of([one.message_id for one in recipients])
        still: list[Recipient] = []
        for one in recipients:
            row = rows.get(one.message_id)
            if row is None or row.state is State.QUEUED:
                still.append(one)
            else:
                self._telling.row(one, row)
        return still

    async def _drop_blocked(self) -> None:
        if self._is_reply:
            self._windows.ignore_blocks()
            return
        work, left = self._work, self._left
        blocked = await self._tools.suppressions.blocked(
            work.origin.app_id,
            work.channel_type,
            [one.endpoint_id for one in left],
            [one.address for one in left],
        )
        if not blocked.endpoint_ids and not blocked.addresses:
            return
        refused: Refusals = []
        for _ in range(len(left)):
            one = left.popleft()
            reason = block_reason(one, blocked)
            if reason is None:
                left.append(one)
            else:
                refused.append((one, Outcome(one.message_id, State.SKIPPED, reason)))
        await self._close(refused)

    async def _drop_invalid(self) -> None:
        """What is no address never reaches a provider."""
        channel = self._work.channel_type
        faults = [(one, address_fault(channel, one.address)) for one in self._left]
        refused = [
            (one, Outcome(one.message_id, State.SKIPPED, Reason.INVALID_ADDRESS, fault))
            for one, fault in faults
            if fault
        ]
        if refused:
            self._left = deque(one for one, fault in faults if not fault)
            await self._close(refused)

    async def _send_all(self, words: Words) -> None:
        tools, waits = self._tools, 0
        while self._rest():
            if tools.stopping.is_set():
                raise Leaving
            if await self._is_over():
                return
            provider = await tools.providers[self._work.channel_type].of(self._work.origin.app_id)
            if provider is None:
                await self._close_all(State.SKIPPED, Reason.CHANNEL_DISABLED)
                return
            if not await provider.adapter.ready():
                await pause(min(waits, 5), tools.stopping)
                waits += 1
                continue
            waits = 0
            await self._with_places(self._composer(words, provider), provider)

    async def _is_over(self) -> bool:
        """Whether the rest is not to be sent: expired, held or cancelled."""
        if expired(self._work, self._tools.clock.now()):
            await self._close_all(State.SKIPPED, Reason.EXPIRED)
            return True
        control = await self._tools.controls.of(self._work)
        if control is Control.RELEASE:
            return False
        state, reason = _ENDS[control]
        await self._close_all(state, reason)
        return True

    def _composer(self, words: Words, provider: Provider) -> Composer:
        tools, work, channel = self._tools, self._work, provider.channel
        if isinstance(channel, EmailChannel):
            composer: Composer = EmailComposer(
                work, words, channel, tools.policy.links_url, tools.tokens, provider.sign
            )
        elif isinstance(channel, SmsChannel):
            composer = SmsComposer(work, words, channel)
        elif isinstance(channel, VoiceChannel):
            composer = VoiceComposer(work, words, channel)
        elif isinstance(channel, CustomChannel):
            composer = CustomComposer(work, words, channel)
        else:
            composer = PushComposer(work, words)
        self._telling.source = composer.source
        return composer

    async def _with_places(self, composer: Composer, provider: Provider) -> None:
        """Send windows while nothing asks for the places back."""
        gate, most = self._tools.gate, min(self._most(provider), self._rest())
        await self._make(most, composer)
        places = await gate.take(most, urgent=self._urgent)
        try:
            while self._rest() and await self._one_window(places, composer, provider):
                await self._telling.publish_now_and_then()
        finally:
            await self._windows.flush()
            gate.give(places, urgent=self._urgent)

    def _most(self, provider: Provider) -> int:
        most = self._tools.policy.window
        limits = limits_of(self._work, provider)
        if not limits:
            return most
        rate = min(limit.rate_per_second for limit in limits)
        return max(1, min(most, int(rate * PACED_SECONDS)))

    async def _one_window(self, places: int, composer: Composer, provider: Provider) -> bool:
        """Send one window; False when the next one has to be thought over."""
        tools = self._tools
        await self._make(places, composer)
        window, self._made = self._made[:places], self._made[places:]
        if window:
            sent = await self._windows.send(window, provider, lambda: self._make(places, composer))
            now = tools.clock.now()
            self._telling.outcomes(((one.recipient, outcome) for one, outcome in sent.done), now)
            await self._suppress_dead(sent)
            await self._refuse_tokens(sent)
            if sent.again:
                self._made = sent.again + self._made
                return False
        if tools.stopping.is_set() or tools.gate.wants_back(urgent=self._urgent):
            return False
        if expired(self._work, tools.clock.now()):
            return False
        return await tools.controls.of(self._work) is Control.RELEASE

    def _rest(self) -> int:
        """How many are still to be sent."""
        return len(self._made) + len(self._left)

    async def _suppress_dead(self, sent: Sent) -> None:
        """Addresses that the provider calls dead get nothing any more (spec 6.3)."""
        dead = [
            Suppression(self._work.channel_type, one.recipient.address, "BOUNCE")
            for one, outcome in sent.done
            if outcome.reason is Reason.HARD_BOUNCE
        ]
        if dead:
            await insist(lambda: self._tools.suppressions.suppress(dead))

    async def _refuse_tokens(self, sent: Sent) -> None:
        """Tokens that the service calls dead, or replaced: who keeps endpoints hears of them."""
        refused = [
            Token(one.recipient.endpoint_id, one.recipient.address, sent.moved.get(place, ""))
            for place, (one, outcome) in enumerate(sent.done)
            if one.recipient.endpoint_id
            and (outcome.reason is Reason.DEAD_TOKEN or place in sent.moved)
        ]
        if refused:
            app_id, channel = self._work.origin.app_id, self._work.channel_type
            now = self._tools.clock.now()
            await insist(lambda: self._tools.events.refuse_tokens(app_id, channel, refused, now))

    async def _make(self, most: int, composer: Composer) -> None:
        """Make the next messages; those that cannot be made are closed, never claimed."""
        now = self._tools.clock.now()
        refused: Refusals = []
        while self._left and len(self._made) < most:
            recipient = self._left.popleft()
            try:
                self._made.append(composer.compose(recipient, now))
            except RenderingFailed as failure:
                outcome = Outcome(
                    recipient.message_id, State.SKIPPED, failure.reason, failure.detail
                )
                refused.append((recipient, outcome))
        await self._close(refused)

    async def _close_all(self, state: State, reason: Reason, detail: str = "") -> None:
        left = [one.recipient for one in self._made] + [*self._left]
        self._made, self._left = [], deque()
        await self._close([(r, Outcome(r.message_id, state, reason, detail)) for r in left])

    async def _close(self, refused: Refusals) -> None:
        """Write refusals of unclaimed rows and tell those that are true."""
        if not refused:
            return
        outcomes = [outcome for _, outcome in refused]
        closed = await insist(lambda: self._tools.ledger.close_unclaimed(outcomes))
        told: Iterable[tuple[Recipient, Outcome]] = refused
        if closed < len(refused):
            rows = await insist(
                lambda: self._tools.ledger.rows_of([one.message_id for one in outcomes])
            )
            told = [
                (recipient, outcome)
                for recipient, outcome in refused
                if outcome.message_id in rows and rows[outcome.message_id].state is outcome.state
            ]
        self._telling.outcomes(told, self._tools.clock.now())
