"""InAppService: decode, call, encode."""

from typing import Any

from touchpoint.campaigns.v1 import campaign_pb2
from touchpoint.campaigns.v1 import in_app_service_pb2 as pb
from touchpoint.campaigns.v1 import in_app_service_pb2_grpc as rpc
from touchpoint.common.v1 import channel_pb2, in_app_pb2

from libs.clock import Clock
from libs.errors import Violations
from libs.timestamps import to_timestamp
from services.campaigns.domain.campaign import Definition
from services.campaigns.domain.in_app import end_of
from services.campaigns.usecases.in_app import InAppMessages, Shown

Call = Any  # grpc.aio's context; nothing here needs it


class InAppServicer(rpc.InAppServiceServicer):
    """Tells apps what they may show."""

    def __init__(self, messages: InAppMessages, clock: Clock) -> None:
        self._messages = messages
        self._clock = clock

    async def GetInAppMessages(
        self, request: pb.GetInAppMessagesRequest, _: Call
    ) -> pb.GetInAppMessagesResponse:
        found = Violations()
        found.check(request.application_id, "application_id", "is required")
        found.check(request.endpoint_id, "endpoint_id", "is required")
        found.raise_if_any()
        shown = await self._messages.of_endpoint(
            request.application_id, request.endpoint_id, self._clock.now()
        )
        return pb.GetInAppMessagesResponse(in_app_message_campaigns=map(_encoded, shown))


def _encoded(shown: Shown) -> pb.InAppMessageCampaign:
    definition = shown.campaign.definition
    return pb.InAppMessageCampaign(
        campaign_id=shown.campaign.campaign_id,
        treatment_id=shown.treatment_id,
        priority=definition.priority,
        daily_cap=definition.limits.daily,
        session_cap=definition.limits.session,
        total_cap=definition.limits.total,
        in_app_message=in_app_pb2.InAppMessage.FromString(shown.message),
        schedule=_schedule(definition),
    )


def _schedule(definition: Definition) -> pb.InAppCampaignSchedule:
    planned, quiet = definition.schedule, definition.schedule.quiet_time
    return pb.InAppCampaignSchedule(
        end_date=to_timestamp(end_of(definition)),
        event_filter=campaign_pb2.CampaignEventFilter.FromString(planned.event_filter),
        quiet_time=channel_pb2.QuietTime(start=quiet.start, end=quiet.end) if quiet else None,
    )
