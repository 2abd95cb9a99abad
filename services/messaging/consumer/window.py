"""The claim window: one round trip writes the last outcomes and claims the next rows.

Rows are claimed only when their messages are made, and their claim is resolved before another
window is claimed, so a worker that dies leaves no more rows UNKNOWN than the gate lends.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.messaging.consumer.tools import Tools, insist
from services.messaging.domain.ledger import Outcome, Reason, State
from services.messaging.domain.limits import Limit
from services.messaging.domain.outbound import Answered, Outbound, Turn
from services.messaging.domain.outcomes import (
    Answer,
    Status,
    is_resent,
    needs_attempts,
    outcome_of,
)
from services.messaging.domain.retry import Attempt
from services.messaging.domain.work import Recipient, Work
from services.messaging.store.ledger import Claimed
from services.messaging.store.suppressions import STOP_KEYWORD, Blocked
from services.messaging.usecases.composition import Composed
from services.messaging.usecases.lookout import NOBODY
from services.messaging.usecases.pacing import Permit
from services.messaging.usecases.providers import Provider

Meanwhile = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Sent:
    """A window's messages and what became of each; `again` are those the provider never saw.

    `moved` are new push tokens, by their place in `done`.
    """

    done: list[tuple[Composed, Outcome]] = field(default_factory=list)
    again: list[Composed] = field(default_factory=list)
    moved: dict[int, str] = field(default_factory=dict)


class Windows:
    """The windows of one batch, one after the other."""

    def __init__(self, tools: Tools, work: Work) -> None:
        self._tools = tools
        self._work = work
        self._held: list[Outcome] = []
        self._token = ""
        self._begun_at = asyncio.get_running_loop().time()
        self._resent = is_resent(work.channel_type, work.message_type)
        self._blocks = True

    def ignore_blocks(self) -> None:
        """Send to blocked addresses too: the answer to a STOP goes to whoever said it."""
        self._blocks = False

    async def send(
        self, window: Sequence[Composed], provider: Provider, meanwhile: Meanwhile
    ) -> Sent:
        """Claim and send a window; outcomes of the one before are written by the same stroke.

        `meanwhile` is done while the database works.
        """
        ids = [one.recipient.message_id for one in window]
        claimed, blocked, _ = await asyncio.gather(self._claim(ids), self._blocked(), meanwhile())
        sent = Sent()
        due: list[Composed] = []
        for one in window:
            if one.recipient.message_id not in claimed.message_ids:
                continue  # another worker's, or decided since
            reason = block_reason(one.recipient, blocked)
            if reason is None:
                due.append(one)
            else:
                outcome = Outcome(one.recipient.message_id, State.SKIPPED, reason)
                sent.done.append((one, outcome))
        if due:
            await self._hand_over(due, provider, sent)
        self._held = [outcome for _, outcome in sent.done]
        return sent

    async def flush(self) -> None:
        """Write the outcomes that are held."""
        if self._held:
            await self._claim(())

    async def _claim(self, ids: Sequence[str]) -> Claimed:
        token, held, held_token = self._tools.next_token(), self._held, self._token
        lease = self._tools.policy.lease_seconds
        claimed = await insist(
            lambda: self._tools.ledger.resolve_and_claim(held, held_token, ids, token, lease)
        )
        self._held, self._token = [], token
        return claimed

    async def _blocked(self) -> Blocked:
        if not self._blocks:
            return NOBODY
        work, lookout = self._work, self._tools.lookout
        return await insist(
            lambda: lookout.since(work.origin.app_id, work.channel_type, self._begun_at)
        )

    async def _hand_over(self, due: list[Composed], provider: Provider, sent: Sent) -> None:
        messages = [one.outbound for one in due]
        limits = limits_of(self._work, provider)
        if limits:
            answers = await self._paced(messages, sum(one.parts for one in due), limits, provider)
        else:
            answers = await provider.adapter.send(messages)
        await self._resolve(due, answers, sent)

    async def _paced(
        self,
        messages: Sequence[Outbound],
        parts: int,
        limits: Sequence[Limit],
        provider: Provider,
    ) -> list[Answer]:
        pacer = self._tools.pacer
        async with pacer.acquire(limits, parts) as permit:
            return await provider.adapter.send(messages, self._turn(permit, limits))

    def _turn(self, permit: Permit, limits: Sequence[Limit]) -> Turn:
        async def turn() -> Answered:
            if permit.parts_left > 0:
                return await permit.wait()
            # A part that is tried again takes a slot of its own.
            async with self._tools.pacer.acquire(limits, 1) as extra:
                return await extra.wait()

        return turn

    async def _resolve(
        self, due: Sequence[Composed], answers: Sequence[Answer], sent: Sent
    ) -> None:
        work, now = self._work, self._tools.clock.now()
        attempts = await self._attempts(due, answers)
        for one, answer in zip(due, answers, strict=True):
            message_id = one.recipient.message_id
            if answer.status is Status.NOT_CALLED:
                sent.again.append(one)
                continue
            if answer.new_address:
                sent.moved[len(sent.done)] = answer.new_address
            attempt = Attempt(attempts.get(message_id, 1), work.expire_time, random.random())
            sent.done.append(
                (one, outcome_of(message_id, answer, attempt, now, resent=self._resent))
            )
        if sent.again:
            ids = [one.recipient.message_id for one in sent.again]
            token = self._token
            await insist(lambda: self._tools.ledger.give_back(ids, token))

    async def _attempts(self, due: Sequence[Composed], answers: Sequence[Answer]) -> dict[str, int]:
        """How often those were tried whose outcome depends on it; most windows have none."""
        ids = [
            one.recipient.message_id
            for one, answer in zip(due, answers, strict=True)
            if needs_attempts(answer, resent=self._resent)
        ]
        if not ids:
            return {}
        states = await insist(lambda: self._tools.ledger.states_of(ids))
        return {message_id: count for message_id, (_, count) in states.items()}


def limits_of(work: Work, provider: Provider) -> tuple[Limit, ...]:
    """The limits a batch passes, from the narrowest scope to the widest."""
    if not work.messages_per_second:
        return provider.limits
    return (Limit(f"dispatch/{work.dispatch_id}", work.messages_per_second), *provider.limits)


def expired(work: Work, now: datetime) -> bool:
    """Whether nothing of a batch may be sent any more."""
    return work.expire_time is not None and work.expire_time <= now


def block_reason(recipient: Recipient, blocked: Blocked) -> Reason | None:
    """Why a recipient gets nothing now; a STOP by text is an opt-out of the person."""
    if recipient.endpoint_id and blocked.has_endpoint(recipient.endpoint_id):
        return Reason.OPT_OUT
    if not blocked.has_address(recipient.address):
        return None
    why = blocked.addresses[recipient.address.lower()]
    return Reason.OPT_OUT if why == STOP_KEYWORD else Reason.SUPPRESSED
