"""The queue edge: segments and applications that are gone take their campaigns with them."""

from collections.abc import Sequence

from touchpoint.applications.v1 import events_pb2 as applications_events
from touchpoint.segmentation.v1 import events_pb2 as segmentation_events

from libs.bus.consumer import Delivery
from libs.clock import Clock
from services.campaigns.domain import states
from services.campaigns.store.activities import ActivityStore
from services.campaigns.store.campaigns import CampaignStore
from services.campaigns.usecases.runs import Runs


class DeletionConsumer:
    """Hears of deletions elsewhere."""

    def __init__(
        self, campaigns: CampaignStore, activities: ActivityStore, runs: Runs, clock: Clock
    ) -> None:
        self._campaigns = campaigns
        self._activities = activities
        self._runs = runs
        self._clock = clock

    async def segments(self, deliveries: Sequence[Delivery]) -> None:
        """Campaigns on a deleted segment become DELETED (spec 1.2); their runs are cancelled."""
        for delivery in deliveries:
            event = segmentation_events.SegmentDeleted.FromString(delivery.body)
            found = await self._campaigns.on_segment(event.application_id, event.segment_id)
            reason = f"segment {event.segment_id} was deleted"
            for campaign in found:
                now = self._clock.now()
                activity = await self._activities.open_of(campaign.campaign_id)
                if activity:
                    await self._runs.cancel(activity, now, reason)
                await self._campaigns.save(states.deleted(campaign, reason, now))

    async def applications(self, deliveries: Sequence[Delivery]) -> None:
        """A deleted application leaves no campaign, version or run behind."""
        for delivery in deliveries:
            event = applications_events.ApplicationDeleted.FromString(delivery.body)
            await self._activities.delete_application(event.application_id)
            await self._campaigns.delete_application(event.application_id)
