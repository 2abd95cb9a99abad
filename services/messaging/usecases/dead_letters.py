"""Batches that no worker could handle: kept out of the way until an operator replays them."""

from collections.abc import Collection

from google.protobuf.message import DecodeError

from libs.bus.parked import Parked
from libs.chassis.logging import get_logger
from libs.clock import Clock
from services.messaging.clients.outbox import Outbox, batch_id_of
from services.messaging.store.batches import BatchStore
from services.messaging.usecases.submission import PATIENCE_SECONDS


class DeadLetters:
    """Takes dead batches from the broker, and puts them back."""

    def __init__(self, batches: BatchStore, parked: Parked, outbox: Outbox, clock: Clock) -> None:
        self._batches = batches
        self._parked = parked
        self._outbox = outbox
        self._clock = clock

    async def collect(self) -> int:
        """Note what is parked; returns how many. A batch that is gone has nothing left to send."""
        return await self._parked.take(self._keep)

    async def _keep(self, body: bytes) -> None:
        try:
            batch_id = batch_id_of(body)
        except DecodeError:
            batch_id = ""
        if batch_id and await self._batches.bury(batch_id, self._clock.now()):
            get_logger().error("batch_died", batch_id=batch_id)
        elif not batch_id:
            # Nobody of ours publishes such a thing; it is kept as it is, for whoever looks.
            await self._batches.keep_unreadable(body, self._clock.now())
            get_logger().error("unreadable_message_kept", size=len(body))

    async def replay(self, app_id: str, batch_ids: Collection[str]) -> int:
        """Put dead batches into their lanes again; returns how many.

        A crash in between repeats one: only rows that still wait can be claimed.
        """
        dead = await self._batches.dead_of(app_id, batch_ids)
        if dead:
            await self._outbox.publish([one.batch for one in dead], PATIENCE_SECONDS)
            now = self._clock.now()
            await self._batches.revive([one.batch.batch_id for one in dead], now)
        return len(dead)
