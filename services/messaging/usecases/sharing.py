"""Sharing lanes out: promotional batches wait in MongoDB while the queue has no room for them.

A batch that finds room, and nobody waiting, is published by the call that made it. The rest waits
and is published in turn by one gateway at a time (`domain.sharing`). Whatever is published twice
is sent once: a worker can only claim a QUEUED row.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from libs.ids import new_id
from services.messaging.clients.outbox import Outbox
from services.messaging.domain.batches import BATCH_SIZE, PROMOTIONAL, Batch
from services.messaging.domain.sharing import Waiting, next_depth, share
from services.messaging.store.batches import BatchStore
from services.messaging.store.lanes import LaneStore, Turn
from services.messaging.store.ledger import LedgerStore
from services.messaging.store.waiting import WaitingStore

KEPT_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 2.0
"""Shorter than the lease of a lane."""


@dataclass(slots=True)
class _Room:
    """What this gateway knows of a lane: batches that wait, and how many it may still publish."""

    told_at: float
    waiting: int
    queued: int
    most: int


class Sharing:
    """Who may publish now, and whose turn it is."""

    def __init__(
        self,
        ledger: LedgerStore,
        batches: BatchStore,
        waiting: WaitingStore,
        lanes: LaneStore,
        outbox: Outbox,
    ) -> None:
        self._waiting = waiting
        self._ledger = ledger
        self._batches = batches
        self._lanes = lanes
        self._outbox = outbox
        self._holder = new_id()
        self._rooms: dict[str, _Room] = {}
        self._lock = asyncio.Lock()

    async def admit(self, batches: Sequence[Batch]) -> list[Batch]:
        """Keep those that have to wait for their turn; returns those to publish now.

        Their rows must be there. Raises DependencyUnavailable when the broker is away.
        """
        now: list[Batch] = []
        later: dict[str, list[Batch]] = {}
        for batch in batches:
            if batch.message_type != PROMOTIONAL or await self._enter(batch.routing_key):
                now.append(batch)
            else:
                later.setdefault(batch.routing_key, []).append(batch)
        for lane, ones in later.items():
            await self._waiting.wait([one.batch_id for one in ones], lane)
        return now

    async def depth(self, lane: str) -> int:
        """Messages that wait for their turn or in the queue, as if every batch were full.

        Not older than half a second. Raises DependencyUnavailable.
        """
        async with self._lock:
            room = await self._room(lane)
            return (room.waiting + room.queued) * BATCH_SIZE

    async def _enter(self, lane: str) -> bool:
        async with self._lock:
            room = await self._room(lane)
            if room.waiting or room.queued >= room.most:
                room.waiting += 1
                return False
            room.queued += 1
            return True

    async def _room(self, lane: str) -> _Room:
        room = self._rooms.get(lane)
        if room is None or time.monotonic() - room.told_at > KEPT_SECONDS:
            most, waiting, depth = await asyncio.gather(
                self._lanes.most(lane), self._waiting.count(lane), self._outbox.batches(lane)
            )
            room = _Room(time.monotonic(), waiting, depth, most)
            self._rooms[lane] = room
        return room

    async def share_out(self) -> int:
        """Publish what has its turn in every lane where something waits; returns how many."""
        lanes = await self._waiting.lanes()
        return sum(await asyncio.gather(*(self._share(lane) for lane in lanes)))

    async def _share(self, lane: str) -> int:
        turn = await self._lanes.take(lane, self._holder, await self._ledger.now())
        if turn is None:
            return 0
        depth = await self._outbox.batches(lane)
        most = next_depth(turn.most, depth)
        shared = None
        if depth < most:
            waiting, weights = await self._queues(lane, most - depth)
            shared = share(turn.passes, waiting, weights, most - depth)
            await self._publish(shared.batch_ids)
        passes = turn.passes if shared is None else shared.passes
        await self._lanes.keep(lane, self._holder, Turn(most, passes))
        return 0 if shared is None else len(shared.batch_ids)

    async def _queues(
        self, lane: str, most: int
    ) -> tuple[Mapping[str, Sequence[Waiting]], Mapping[str, int]]:
        """What each application has waiting, up to `most`, and its weight."""
        app_ids = await self._waiting.applications(lane)
        found, weights = await asyncio.gather(
            asyncio.gather(*(self._waiting.next_of(lane, app_id, most) for app_id in app_ids)),
            self._lanes.weights(app_ids),
        )
        return dict(zip(app_ids, found, strict=True)), weights

    async def _publish(self, batch_ids: Sequence[str]) -> None:
        found = {one.batch_id: one for one in await self._batches.get(batch_ids)}
        due = [found[batch_id] for batch_id in batch_ids if batch_id in found]
        if due:
            await self._outbox.publish(due, PATIENCE_SECONDS)
            now = await self._ledger.now()
            await self._batches.mark_published([one.batch_id for one in due], now)
