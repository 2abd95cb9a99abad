"""After a release: held rows go to the queue again, unless something else holds them."""

from datetime import datetime

from services.messaging.domain.holds import Hold, is_held
from services.messaging.store.dispatches import DispatchStore
from services.messaging.store.holds import HoldStore
from services.messaging.store.ledger import LedgerStore
from services.messaging.usecases.feeding import AT_ONCE, Feeding


class Holding:
    """The clock of holds; several gateways may run it side by side."""

    def __init__(
        self, holds: HoldStore, dispatches: DispatchStore, ledger: LedgerStore, feeding: Feeding
    ) -> None:
        self._holds = holds
        self._dispatches = dispatches
        self._ledger = ledger
        self._feeding = feeding

    async def settle(self) -> int:
        """Have rows follow every release; returns how many were fed."""
        now = await self._ledger.now()
        return sum([await self._settle(hold, now) for hold in await self._holds.settling()])

    async def _settle(self, released: Hold, now: datetime) -> int:
        fed = 0
        while more := await self._feed(released, now):
            fed += more
        await self._holds.settled(released, now)
        return fed

    async def _feed(self, released: Hold, now: datetime) -> int:
        app_id, scope = released.app_id, released.scope
        holds = await self._holds.of(app_id)
        if is_held(holds, scope.channel_type, scope.campaign_id):
            return 0
        others = [hold.scope for hold in holds]
        on_hold = await self._dispatches.on_hold(app_id)
        held = await self._ledger.held_in(app_id, scope, others, on_hold, AT_ONCE)
        return await self._feeding.feed(held, now)
