"""Campaigns and runs between their proto form and the domain's."""

from collections.abc import Mapping

from touchpoint.campaigns.v1 import campaign_pb2 as pb
from touchpoint.campaigns.v1 import campaigns_service_pb2
from touchpoint.common.v1 import channel_pb2

from libs.errors import NotBuilt
from libs.timestamps import to_timestamp
from services.campaigns.domain.activity import Activity, Totals
from services.campaigns.domain.campaign import (
    IN_APP_EVENT,
    ONCE,
    Campaign,
    Definition,
    Limits,
    QuietTime,
    Schedule,
    Treatment,
)
from services.campaigns.servicer.contents import (
    delivery_to_proto,
    inline_to_proto,
    says_from_proto,
    templates_to_proto,
)
from services.campaigns.usecases.trials import TrialOrder

_CHANNEL_NAMES = {
    value.number: value.name.removeprefix("CHANNEL_TYPE_")
    for value in channel_pb2.ChannelType.DESCRIPTOR.values
}
_FREQUENCIES = {
    pb.Schedule.FREQUENCY_UNSPECIFIED: ONCE,
    pb.Schedule.FREQUENCY_ONCE: ONCE,
    pb.Schedule.FREQUENCY_IN_APP_EVENT: IN_APP_EVENT,
}


def definition_from_proto(given: pb.Campaign) -> Definition:
    """What the author wrote. Raises NotBuilt for schedules this version does not run."""
    if given.schedule.frequency not in _FREQUENCIES:
        raise NotBuilt("a schedule other than ONCE and IN_APP_EVENT")
    if given.schedule.is_local_time:
        raise NotBuilt("sending at the recipient's local time")
    return Definition(
        name=given.name,
        description=given.description,
        segment_id=given.segment_id,
        segment_version=given.segment_version,
        says=says_from_proto(given),
        schedule=_schedule(given.schedule),
        limits=_limits(given.limits),
        holdout_percent=given.holdout_percent,
        is_paused=given.is_paused,
        treatments=tuple(
            Treatment(
                treatment_id=str(number),
                size_percent=treatment.size_percent,
                says=says_from_proto(treatment),
                name=treatment.treatment_name,
                description=treatment.treatment_description,
            )
            for number, treatment in enumerate(given.additional_treatments, start=1)
        ),
        treatment_name=given.treatment_name,
        treatment_description=given.treatment_description,
        priority=given.priority,
    )


def _treatment(treatment_id: str, given: pb.Treatment) -> Treatment:
    return Treatment(
        treatment_id=treatment_id,
        size_percent=given.size_percent,
        says=says_from_proto(given),
        name=given.treatment_name,
        description=given.treatment_description,
    )


def _schedule(given: pb.Schedule) -> Schedule:
    quiet = given.quiet_time
    return Schedule(
        given.start_time,
        given.end_time,
        QuietTime(quiet.start, quiet.end) if given.HasField("quiet_time") else None,
        _FREQUENCIES[given.frequency],
        given.event_filter.SerializeToString(),
    )


def _limits(given: channel_pb2.CampaignLimits) -> Limits:
    return Limits(
        given.daily, given.total, given.session, given.messages_per_second, given.maximum_duration
    )


def campaign_to_proto(campaign: Campaign) -> pb.Campaign:
    """A campaign as the API shows it."""
    definition = campaign.definition
    encoded = pb.Campaign(
        campaign_id=campaign.campaign_id,
        application_id=campaign.application_id,
        name=definition.name,
        description=definition.description,
        segment_id=definition.segment_id,
        segment_version=definition.segment_version,
        message_configuration=inline_to_proto(definition.says),
        template_configuration=templates_to_proto(definition.says),
        custom_delivery_configuration=delivery_to_proto(definition.says),
        schedule=_schedule_to_proto(definition.schedule),
        limits=_limits_to_proto(definition.limits),
        holdout_percent=definition.holdout_percent,
        is_paused=definition.is_paused,
        treatment_name=definition.treatment_name,
        treatment_description=definition.treatment_description,
        priority=definition.priority,
        tags=campaign.tags,
        version=campaign.version,
        state=pb.CampaignState.Value(f"CAMPAIGN_STATE_{campaign.state.value}"),
        state_reason=campaign.state_reason,
        creation_date=to_timestamp(campaign.creation_date),
        last_modified_date=to_timestamp(campaign.last_modified_date),
    )
    encoded.additional_treatments.extend(map(_treatment_to_proto, definition.treatments))
    return encoded


def _treatment_to_proto(treatment: Treatment) -> pb.Treatment:
    return pb.Treatment(
        treatment_id=treatment.treatment_id,
        size_percent=treatment.size_percent,
        message_configuration=inline_to_proto(treatment.says),
        template_configuration=templates_to_proto(treatment.says),
        custom_delivery_configuration=delivery_to_proto(treatment.says),
        treatment_name=treatment.name,
        treatment_description=treatment.description,
    )


def _schedule_to_proto(schedule: Schedule) -> pb.Schedule:
    encoded = pb.Schedule(
        start_time=schedule.start_time,
        end_time=schedule.end_time,
        frequency=pb.Schedule.Frequency.Value(f"FREQUENCY_{schedule.frequency}"),
    )
    if schedule.event_filter:
        encoded.event_filter.MergeFromString(schedule.event_filter)
    if quiet := schedule.quiet_time:
        encoded.quiet_time.CopyFrom(channel_pb2.QuietTime(start=quiet.start, end=quiet.end))
    return encoded


def _limits_to_proto(limits: Limits) -> channel_pb2.CampaignLimits:
    return channel_pb2.CampaignLimits(
        daily=limits.daily,
        total=limits.total,
        session=limits.session,
        messages_per_second=limits.messages_per_second,
        maximum_duration=limits.maximum_duration,
    )


def activity_to_proto(
    activity: Activity, totals: Totals, progress: pb.ActivityProgress
) -> pb.CampaignActivity:
    """A run as the API shows it."""
    states: Mapping[str, int] = progress.state_counts
    handed_over = sum(states.get(name, 0) for name in ("SENT", "DELIVERED"))
    failed = states.get("FAILED", 0)
    state = pb.CampaignActivity.State.Value(f"STATE_{activity.state.value}")
    result = f"RESULT_{activity.result}" if activity.result else "RESULT_UNSPECIFIED"
    return pb.CampaignActivity(
        activity_id=activity.activity_id,
        application_id=activity.application_id,
        campaign_id=activity.campaign_id,
        campaign_version=activity.campaign_version,
        scheduled_start=to_timestamp(activity.scheduled_start),
        start=to_timestamp(activity.start),
        end=to_timestamp(activity.end),
        state=state,
        result=pb.CampaignActivity.Result.Value(result),
        state_reason=activity.state_reason,
        total_endpoint_count=handed_over + failed,
        successful_endpoint_count=handed_over,
        execution_metrics=totals.metrics,
        progress=progress,
    )


def order_from_proto(request: campaigns_service_pb2.SendTestMessagesRequest) -> TrialOrder:
    """A test send as it is asked for."""
    return TrialOrder(
        request.application_id,
        request.campaign_id,
        request.treatment_id or "0",
        tuple(
            (
                _CHANNEL_NAMES.get(one.channel_type, ""),
                one.address.strip(),
            )
            for one in request.addresses
        ),
        tuple(request.endpoint_ids),
        request.segment_id,
        request.request_id,
        request.validate_only,
    )
