"""Stops a campaign by itself when its rates say that something is wrong, once a run."""

from collections.abc import Sequence

from libs.chassis.logging import get_logger
from libs.clock import Clock
from services.messaging.domain.dispatch import Control, Dispatch
from services.messaging.domain.guard import Thresholds, why_stopped
from services.messaging.domain.holds import Scope
from services.messaging.store.complaints import ComplaintStore
from services.messaging.store.dispatches import DispatchStore
from services.messaging.store.holds import HoldStore
from services.messaging.store.ledger import Count


class Guard:
    """Looks at a run whenever its standing is counted."""

    def __init__(
        self,
        holds: HoldStore,
        dispatches: DispatchStore,
        complaints: ComplaintStore,
        thresholds: Thresholds,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._holds = holds
        self._dispatches = dispatches
        self._complaints = complaints
        self._thresholds = thresholds

    async def look(self, dispatch: Dispatch, counts: Sequence[Count]) -> None:
        """Hold the campaign of a run that is above a threshold.

        An operator who releases it has decided: the same run is not stopped again.
        """
        origin = dispatch.origin
        if not origin.campaign_id or dispatch.control is not Control.RELEASE:
            return
        complaints = await self._complaints.count(dispatch.dispatch_id)
        standing = [(one.state, one.reason, one.count) for one in counts]
        why = why_stopped(standing, complaints, self._thresholds)
        if not why or not await self._dispatches.guard(dispatch.dispatch_id):
            return
        get_logger().warning(
            "campaign_held", campaign_id=origin.campaign_id, dispatch_id=dispatch.dispatch_id
        )
        scope = Scope(campaign_id=origin.campaign_id)
        reason = f"stopped by itself: {why}"
        await self._holds.hold(origin.app_id, scope, reason, self._clock.now())
