"""CampaignsService: decode, call, encode."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.campaigns.v1 import campaigns_service_pb2 as pb
from touchpoint.campaigns.v1 import campaigns_service_pb2_grpc as rpc
from touchpoint.common.v1 import channel_pb2

from libs.clock import Clock
from libs.ids import new_id
from libs.mongo.paging import Pager, page_size
from libs.timestamps import to_timestamp
from services.campaigns.domain import states
from services.campaigns.domain.activity import OPEN, Activity, ActivityState
from services.campaigns.domain.campaign import Campaign
from services.campaigns.servicer.in_app_contents import check_contents
from services.campaigns.servicer.mapping import (
    activity_to_proto,
    campaign_to_proto,
    definition_from_proto,
    order_from_proto,
)
from services.campaigns.store.activities import ActivityStore
from services.campaigns.store.campaigns import CampaignStore
from services.campaigns.usecases.author import Author, Draft
from services.campaigns.usecases.runs import Runs
from services.campaigns.usecases.trials import Trials

Call = Any  # grpc.aio's context; nothing here needs it


@dataclass(frozen=True, slots=True)
class UseCases:
    """What can be done with campaigns."""

    author: Author
    runs: Runs
    trials: Trials


class CampaignsServicer(rpc.CampaignsServiceServicer):
    """Defines campaigns and controls their runs."""

    def __init__(
        self,
        campaigns: CampaignStore,
        activities: ActivityStore,
        what: UseCases,
        pager: Pager,
        clock: Clock,
    ) -> None:
        self._campaigns = campaigns
        self._activities = activities
        self._author = what.author
        self._runs = what.runs
        self._trials = what.trials
        self._pager = pager
        self._clock = clock

    async def CreateCampaign(
        self, request: pb.CreateCampaignRequest, _: Call
    ) -> pb.CreateCampaignResponse:
        definition = definition_from_proto(request.campaign)
        draft = Draft(definition, dict(request.campaign.tags), check_contents(request.campaign))
        campaign = await self._author.draft(request.application_id, draft, self._clock.now())
        campaign = replace(campaign, campaign_id=new_id(), request_id=request.request_id)
        if request.validate_only:
            campaign = replace(campaign, campaign_id="")
            estimate = await self._author.estimate(campaign)
            return pb.CreateCampaignResponse(
                campaign=campaign_to_proto(campaign),
                estimate=pb.CampaignEstimate(
                    total_count=estimate.total,
                    reachable_count=estimate.reachable,
                    channel_counts=estimate.by_channel,
                    duration_seconds=estimate.duration_seconds,
                    finish_time=to_timestamp(
                        campaign.start_time + timedelta(seconds=estimate.duration_seconds)
                    ),
                ),
            )
        saved = await self._author.create(campaign, self._clock.now())
        return pb.CreateCampaignResponse(campaign=campaign_to_proto(saved))

    async def GetCampaign(self, request: pb.GetCampaignRequest, _: Call) -> pb.GetCampaignResponse:
        campaign = await self._campaigns.get(request.application_id, request.campaign_id)
        if request.version:
            campaign = await self._campaigns.get_version(
                request.application_id, request.campaign_id, request.version
            )
        return pb.GetCampaignResponse(campaign=campaign_to_proto(campaign))

    async def ListCampaigns(
        self, request: pb.ListCampaignsRequest, _: Call
    ) -> pb.ListCampaignsResponse:
        size = page_size(request.page_size)
        name = campaign_pb2.CampaignState.Name(request.state)
        state = name.removeprefix("CAMPAIGN_STATE_") if request.state else ""
        query = ["campaigns", request.application_id, state]
        after = self._pager.last(query, request.page_token)
        found = await self._campaigns.page(request.application_id, state, after, size + 1)
        page = found[:size]
        last = (page[-1].creation_date, page[-1].campaign_id) if len(found) > size else None
        return pb.ListCampaignsResponse(
            campaigns=[campaign_to_proto(campaign) for campaign in page],
            next_page_token=self._pager.token(query, last),
        )

    async def UpdateCampaign(
        self, request: pb.UpdateCampaignRequest, _: Call
    ) -> pb.UpdateCampaignResponse:
        before = await self._campaigns.get(request.application_id, request.campaign_id)
        now = self._clock.now()
        written = Draft(
            definition_from_proto(request.campaign),
            dict(before.tags),
            check_contents(request.campaign),
        )
        draft = await self._author.draft(request.application_id, written, now)
        if not before.definition.is_in_app:
            await self._author.check_in_app_quota(draft, now)
        sent = await self._activities.has_sent(request.campaign_id)
        after = states.edited(before, draft.definition, draft.start_time, now, sent=sent)
        saved = await self._campaigns.save(after, new_version=True)
        return pb.UpdateCampaignResponse(campaign=campaign_to_proto(saved))

    async def DeleteCampaign(
        self, request: pb.DeleteCampaignRequest, _: Call
    ) -> pb.DeleteCampaignResponse:
        campaign = await self._campaigns.get(request.application_id, request.campaign_id)
        now = self._clock.now()
        await self._cancel_run(campaign, "the campaign was deleted")
        await self._campaigns.save(states.deleted(campaign, "deleted by an operator", now))
        return pb.DeleteCampaignResponse(campaign=campaign_to_proto(campaign))

    async def ListCampaignVersions(
        self, request: pb.ListCampaignVersionsRequest, _: Call
    ) -> pb.ListCampaignVersionsResponse:
        size = page_size(request.page_size)
        app_id, campaign_id = request.application_id, request.campaign_id
        await self._campaigns.get(app_id, campaign_id)
        query = ["versions", app_id, campaign_id]
        after = self._pager.last(query, request.page_token)
        before = int(str(after[0])) if after else None
        found = await self._campaigns.versions(app_id, campaign_id, before, size + 1)
        page = found[:size]
        last = (page[-1].version,) if len(found) > size else None
        return pb.ListCampaignVersionsResponse(
            campaigns=[campaign_to_proto(campaign) for campaign in page],
            next_page_token=self._pager.token(query, last),
        )

    async def PauseCampaign(
        self, request: pb.PauseCampaignRequest, _: Call
    ) -> pb.PauseCampaignResponse:
        campaign = await self._campaigns.get(request.application_id, request.campaign_id)
        paused = states.paused(campaign, self._clock.now())
        if paused is not campaign:
            paused = await self._campaigns.save(paused)
        if activity := await self._activities.open_of(campaign.campaign_id):
            await self._runs.control(activity, ActivityState.PAUSED, "HOLD")
        return pb.PauseCampaignResponse(campaign=campaign_to_proto(paused))

    async def ResumeCampaign(
        self, request: pb.ResumeCampaignRequest, _: Call
    ) -> pb.ResumeCampaignResponse:
        campaign = await self._campaigns.get(request.application_id, request.campaign_id)
        activity = await self._activities.open_of(campaign.campaign_id)
        resumed = states.resumed(campaign, self._clock.now(), running=activity is not None)
        if activity is not None:
            begun = ActivityState.RUNNING if activity.start else ActivityState.PENDING
            await self._runs.control(activity, begun, "RELEASE")
        if resumed is not campaign:
            resumed = await self._campaigns.save(resumed)
        return pb.ResumeCampaignResponse(campaign=campaign_to_proto(resumed))

    async def StopCampaign(
        self, request: pb.StopCampaignRequest, _: Call
    ) -> pb.StopCampaignResponse:
        campaign = await self._campaigns.get(request.application_id, request.campaign_id)
        stopped = states.stopped(campaign, self._clock.now())
        await self._cancel_run(campaign, "stopped by an operator")
        if stopped is not campaign:
            stopped = await self._campaigns.save(stopped)
        return pb.StopCampaignResponse(campaign=campaign_to_proto(stopped))

    async def SendTestMessages(
        self, request: pb.SendTestMessagesRequest, _: Call
    ) -> pb.SendTestMessagesResponse:
        tested = await self._trials.send(order_from_proto(request), self._clock.now())
        return pb.SendTestMessagesResponse(
            dispatch_id=tested.dispatch_id,
            message_count=tested.message_count,
            skipped=[
                pb.SkippedTest(endpoint_id=endpoint_id, address=address, reason=reason)
                for endpoint_id, address, reason in tested.skipped
            ],
            disabled_channels=[
                channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{one}")
                for one in tested.disabled_channels
            ],
        )

    async def ListCampaignActivities(
        self, request: pb.ListCampaignActivitiesRequest, _: Call
    ) -> pb.ListCampaignActivitiesResponse:
        size = page_size(request.page_size)
        app_id, campaign_id = request.application_id, request.campaign_id
        query = ["activities", app_id, campaign_id]
        after = self._pager.last(query, request.page_token)
        found = await self._activities.page(app_id, campaign_id, after, size + 1)
        page = found[:size]
        last = (page[-1].scheduled_start, page[-1].activity_id) if len(found) > size else None
        return pb.ListCampaignActivitiesResponse(
            activities=[await self._encoded(activity) for activity in page],
            next_page_token=self._pager.token(query, last),
        )

    async def GetCampaignActivity(
        self, request: pb.GetCampaignActivityRequest, _: Call
    ) -> pb.GetCampaignActivityResponse:
        activity = await self._activities.get(
            request.application_id, request.campaign_id, request.activity_id
        )
        return pb.GetCampaignActivityResponse(activity=await self._encoded(activity))

    async def _cancel_run(self, campaign: Campaign, reason: str) -> None:
        if activity := await self._activities.open_of(campaign.campaign_id):
            await self._runs.cancel(activity, self._clock.now(), reason)

    async def _encoded(self, activity: Activity) -> campaign_pb2.CampaignActivity:
        totals = await self._activities.totals(activity.activity_id)
        encoded = campaign_pb2.ActivityProgress(
            targeted_count=totals.targeted, fan_out_done=totals.done
        )
        if activity.start:  # before that the gateway knows nothing of the run
            progress = await self._runs.progress(activity)
            encoded.state_counts.update(progress.by_state)
            encoded.reason_counts.update(progress.by_reason)
            if activity.state in OPEN:
                left = timedelta(seconds=progress.seconds_left)
                encoded.seconds_left = progress.seconds_left
                encoded.forecast_time.FromDatetime(self._clock.now() + left)
        return activity_to_proto(activity, totals, encoded)
