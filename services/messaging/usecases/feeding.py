"""Feeding again: messages that wait go to the queue once more, cut from the batches kept of them.

Whatever is fed twice is sent once: a worker can only claim a QUEUED row. The outbox is reopened
before rows become QUEUED, so a crash at any point leaves them to the clock that publishes.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from libs.chassis.logging import get_logger
from services.messaging.clients.outbox import Outbox, message_ids
from services.messaging.domain.batches import Batch, routing_key
from services.messaging.domain.dispatch import Control, Dispatch
from services.messaging.domain.ledger import FINAL, State
from services.messaging.store.batches import BatchStore
from services.messaging.store.dispatches import DispatchStore
from services.messaging.store.ledger import LedgerStore
from services.messaging.usecases.refusals import Refusals

AT_ONCE: Final = 1000
BATCHES_AT_ONCE: Final = 100
PATIENCE_SECONDS: Final = 5.0
PUBLISH_SECONDS: Final = 5.0
"""After this a clock gives back what it took to publish, long before its lease ends."""
PUBLISH_AGAIN: Final = timedelta(seconds=2)
ABANDONED: Final = timedelta(hours=1)
"""A batch without rows belongs to a call that died; its caller repeats it long before this."""


class Feeding:
    """The gateway's clocks, one method each; several gateways may run them side by side."""

    def __init__(
        self,
        ledger: LedgerStore,
        batches: BatchStore,
        dispatches: DispatchStore,
        outbox: Outbox,
        refusals: Refusals,
    ) -> None:
        self._refusals = refusals
        self._ledger = ledger
        self._batches = batches
        self._dispatches = dispatches
        self._outbox = outbox

    async def feed_due(self) -> int:
        """Close claims that ran out, and feed what is due; returns how many messages were fed."""
        now = await self._ledger.now()
        if lost := await self._ledger.mark_lost(now):
            get_logger().warning("claims_lost", count=lost)
        return await self.feed(await self._ledger.due(now, AT_ONCE), now)

    async def publish_left(self) -> int:
        """Publish what nobody published in time; returns how many batches were looked at."""
        now = await self._ledger.now()
        taken = await self._batches.take_unpublished(now, BATCHES_AT_ONCE)
        clock, left = asyncio.get_running_loop().time, {batch.batch_id for batch in taken}
        until = clock() + PUBLISH_SECONDS
        try:
            for batch in taken:
                if await self._publish(batch, now):
                    left.remove(batch.batch_id)
                if clock() > until:
                    break
        finally:
            # The broker was away, or rows are still to come: soon again, by whoever is first.
            await self._batches.publish_later(left, now + PUBLISH_AGAIN)
        return len(taken)

    async def _publish(self, batch: Batch, now: datetime) -> bool:
        """Publish what is queued of a batch; False when it has no rows yet."""
        states = await self._states(batch)
        if queued := _in(states, {State.QUEUED}):
            await self._outbox.publish_part(batch, queued, PATIENCE_SECONDS)
        if states:
            await self._batches.mark_published([batch.batch_id], now)
            return True
        if now - batch.create_time > ABANDONED:
            await self._batches.remove([batch.batch_id])
            return True
        return False

    async def channels(self) -> frozenset[str]:
        """Channels of which batches are on their way."""
        return await self._batches.channels()

    async def sweep(self, channel_type: str, message_type: str) -> int:
        """Look at the batches of a lane whose queue is empty: close them, or feed what waits.

        A row still QUEUED then was lost with its queue message, or a worker holds it; feeding it
        again does no harm. Returns how many batches were looked at.
        """
        lane = routing_key(channel_type, message_type)
        if await self._outbox.depth(lane):
            return 0
        now = await self._ledger.now()
        taken = await self._batches.take_published(channel_type, message_type, now, BATCHES_AT_ONCE)
        done, later = [], []
        for batch in taken:
            states = await self._states(batch)
            if all(state in FINAL for state in states.values()):
                done.append(batch.batch_id)
                continue
            later.append(batch)
            if queued := _in(states, {State.QUEUED}):
                get_logger().info("messages_fed_again", count=len(queued), lane=lane)
                await self._outbox.publish_part(batch, queued, PATIENCE_SECONDS)
        await self._batches.remove(done)
        await self._batches.check_later(later, now)
        return len(taken)

    async def expire(self) -> int:
        """Close what waits in batches whose time is over; returns how many messages."""
        now = await self._ledger.now()
        over = await self._batches.expired(now, BATCHES_AT_ONCE)
        if not over:
            return 0
        ids = [one for batch in over for one in message_ids(batch.body)]
        closed = await self._ledger.expire(ids)
        await self._refusals.tell_expired((await self._ledger.rows_of(ids)).values(), now)
        await self._batches.mark_expired([batch.batch_id for batch in over])
        return closed

    async def settle(self) -> int:
        """Have the rows of dispatches follow their last control; returns how many were fed."""
        now = await self._ledger.now()
        fed = 0
        for dispatch in await self._dispatches.settling(now):
            fed += await self._settle(dispatch, now)
        return fed

    async def _settle(self, dispatch: Dispatch, now: datetime) -> int:
        if dispatch.control is Control.CANCEL:
            await self._ledger.cancel(dispatch.dispatch_id)
        fed = 0
        while dispatch.control is Control.RELEASE:
            held = await self._ledger.held(dispatch.dispatch_id, AT_ONCE)
            more = await self.feed(held, now)
            fed += more
            if not more:
                break
        await self._dispatches.settled(dispatch, now)
        return fed

    async def feed(self, waiting: Mapping[str, Sequence[str]], now: datetime) -> int:
        """Put messages that wait back into the queue, by batch; returns how many."""
        if not waiting:
            return 0
        await self._batches.reopen(waiting.keys(), now)
        batches = await self._batches.get(waiting.keys())
        if missing := waiting.keys() - {batch.batch_id for batch in batches}:
            get_logger().error("batches_missing", count=len(missing))
        there = [one for batch in batches for one in waiting[batch.batch_id]]
        ours = await self._ledger.queue_again(there)
        parts = {b.batch_id: ours.intersection(waiting[b.batch_id]) for b in batches}
        full = [batch for batch in batches if parts[batch.batch_id]]
        await asyncio.gather(
            *(
                self._outbox.publish_part(batch, parts[batch.batch_id], PATIENCE_SECONDS)
                for batch in full
            )
        )
        await self._batches.mark_published([batch.batch_id for batch in batches], now)
        return len(ours)

    async def _states(self, batch: Batch) -> Mapping[str, State]:
        return await self._ledger.states_in(batch.batch_id, message_ids(batch.body))


def _in(states: Mapping[str, State], wanted: Collection[State]) -> list[str]:
    return [message_id for message_id, state in states.items() if state in wanted]
