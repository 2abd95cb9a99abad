"""Runs: starting, feeding, controlling and ending them."""

from dataclasses import replace
from datetime import datetime

from libs.chassis.logging import get_logger
from libs.ids import derived_id
from services.campaigns.clients.contents import (
    TemplateMissing,
)
from services.campaigns.clients.dispatch import Progress, Registration
from services.campaigns.domain import audience, schedule
from services.campaigns.domain.activity import (
    Activity,
    ActivityState,
    Shard,
    Totals,
    verdict,
)
from services.campaigns.domain.campaign import Campaign, CampaignState
from services.campaigns.store.activities import ActivityStore
from services.campaigns.store.campaigns import CampaignStore
from services.campaigns.usecases.peers import Peers


class Runs:
    """Starts, feeds, controls and ends runs. Every step may be repeated after a crash."""

    def __init__(
        self,
        campaigns: CampaignStore,
        activities: ActivityStore,
        peers: Peers,
        shards_per_run: int,
    ) -> None:
        self._campaigns = campaigns
        self._activities = activities
        self._peers = peers
        self._shards_per_run = shards_per_run

    async def open(self, campaign: Campaign) -> None:
        """Make the run of a due campaign. Its id is that of the occurrence, so it is made once."""
        occurrence = campaign.start_time.isoformat()
        activity_id = derived_id("activity", campaign.campaign_id, occurrence)
        await self._activities.add(
            Activity(
                activity_id,
                campaign.application_id,
                campaign.campaign_id,
                campaign.version,
                campaign.start_time,
                ActivityState.PENDING,
            )
        )
        await self._campaigns.save(
            replace(campaign, state=CampaignState.EXECUTING, state_reason="")
        )
        get_logger().info("run_opened", campaign_id=campaign.campaign_id, activity_id=activity_id)

    async def begin(self, activity: Activity, now: datetime) -> None:
        """Resolve whom the run means and what it says, and register it with the gateway."""
        campaign = await self._version(activity)
        definition = campaign.definition
        compiled = await self._peers.segments.compile(
            activity.application_id, definition.segment_id, definition.segment_version
        )
        if compiled is None:
            await self._give_up(activity, now, f"segment {definition.segment_id} is missing")
            return
        try:
            contents = await self._peers.contents.resolve(
                definition.all_says,
                activity.scheduled_start,
                skip_on_missing_variable=definition.skip_on_missing_variable,
            )
        except TemplateMissing as error:
            await self._give_up(activity, now, str(error))
            return
        started = replace(
            activity,
            state=ActivityState.RUNNING,
            start=now,
            audience=compiled,
            expire_time=schedule.expiry(
                definition.schedule, definition.limits, activity.scheduled_start
            ),
        )
        rate = definition.limits.messages_per_second
        registration = Registration(definition.says.message_type, rate, contents)
        disabled = await self._peers.dispatch.create(started, registration)
        if set(disabled) >= registration.channels:
            await self._give_up(activity, now, f"channels are off: {', '.join(sorted(disabled))}")
            return
        count = self._shards_per_run
        shards = [Shard(activity.activity_id, number, count) for number in range(count)]
        await self._activities.start(started, shards)

    async def plan(self, activity: Activity) -> audience.Plan:
        """Who gets what in this run."""
        campaign = await self._version(activity)
        return audience.plan(campaign.campaign_id, campaign.definition)

    async def apply_control(self, activity: Activity) -> None:
        """Make the gateway do what the run shall do."""
        await self._peers.dispatch.control(activity)
        await self._activities.set_applied(activity.activity_id, activity.control)

    async def control(self, activity: Activity, state: ActivityState, control: str) -> None:
        """Hold, release or cancel a run; kept first, so that it happens even if we die here."""
        await self._activities.set_control(activity.activity_id, state, control)
        await self.apply_control(replace(activity, control=control))

    async def progress(self, activity: Activity) -> Progress:
        """How the run's messages stand."""
        return await self._peers.dispatch.progress(activity.application_id, activity.activity_id)

    async def finish_if_over(self, activity: Activity, now: datetime) -> bool:
        """End the run when the whole audience was read and every message is final."""
        totals = await self._activities.totals(activity.activity_id)
        if not totals.done:
            return False
        progress = await self.progress(activity)
        # The gateway's counts may be a second old, from before the last rows: they must hold
        # every member before "none is open" means anything.
        if progress.open_count or sum(progress.by_state.values()) < totals.targeted:
            return False
        await self._finish(activity, totals, progress, now)
        return True

    async def _finish(
        self, activity: Activity, totals: Totals, progress: Progress, now: datetime
    ) -> None:
        handed = sum(progress.by_state.get(s, 0) for s in ("SENT", "DELIVERED", "FAILED"))
        result, reason = verdict(totals, handed)
        await self._close_campaign(activity, CampaignState.COMPLETED, reason, now)
        await self._activities.finish(
            replace(
                activity,
                state=ActivityState.COMPLETED,
                end=now,
                result=result,
                state_reason=reason,
                final_counts=progress.by_state,
            )
        )
        get_logger().info("run_completed", activity_id=activity.activity_id, result=result)

    async def cancel(self, activity: Activity, now: datetime, reason: str) -> None:
        """End a run for good; the gateway cancels what no provider has."""
        await self.control(activity, ActivityState.CANCELLED, "CANCEL")
        await self._activities.finish(
            replace(
                activity,
                state=ActivityState.CANCELLED,
                end=now,
                result="FAIL",
                state_reason=reason,
                final_counts=(await self.progress(activity)).by_state,
            )
        )

    async def _give_up(self, activity: Activity, now: datetime, reason: str) -> None:
        await self._close_campaign(activity, CampaignState.INVALID, reason, now)
        await self._activities.finish(
            replace(
                activity,
                state=ActivityState.COMPLETED,
                end=now,
                result="FAIL",
                state_reason=reason,
            )
        )
        get_logger().warning("run_failed", activity_id=activity.activity_id, cause=reason)

    async def _close_campaign(
        self, activity: Activity, state: CampaignState, reason: str, now: datetime
    ) -> None:
        campaign = await self._campaigns.get(activity.application_id, activity.campaign_id)
        if campaign.state is CampaignState.EXECUTING:
            await self._campaigns.save(
                replace(campaign, state=state, state_reason=reason, last_modified_date=now)
            )

    async def _version(self, activity: Activity) -> Campaign:
        return await self._campaigns.get_version(
            activity.application_id, activity.campaign_id, activity.campaign_version
        )
