"""Campaigns and runs between their proto form and the domain's."""

from collections.abc import Mapping

from touchpoint.campaigns.v1 import campaign_pb2 as pb
from touchpoint.common.v1 import channel_pb2

from libs.errors import NotBuilt
from libs.timestamps import to_timestamp
from services.campaigns.domain.activity import Activity, Totals
from services.campaigns.domain.campaign import (
    Campaign,
    Definition,
    EmailMessage,
    Limits,
    QuietTime,
    Says,
    Schedule,
    SmsMessage,
    TemplateReference,
    Treatment,
)

_ONCE = {pb.Schedule.FREQUENCY_UNSPECIFIED, pb.Schedule.FREQUENCY_ONCE}


def definition_from_proto(given: pb.Campaign) -> Definition:
    """What the author wrote. Raises NotBuilt for schedules this version does not run."""
    if given.schedule.frequency not in _ONCE:
        raise NotBuilt("a schedule other than ONCE")
    if given.limits.session:
        raise NotBuilt("a limit for each session (in-app messages)")
    if given.schedule.is_local_time:
        raise NotBuilt("sending at the recipient's local time")
    return Definition(
        name=given.name,
        description=given.description,
        segment_id=given.segment_id,
        segment_version=given.segment_version,
        says=_says(given.message_configuration, given.template_configuration),
        schedule=_schedule(given.schedule),
        limits=_limits(given.limits),
        holdout_percent=given.holdout_percent,
        is_paused=given.is_paused,
        treatments=tuple(
            Treatment(
                treatment_id=str(number),
                size_percent=treatment.size_percent,
                says=_says(treatment.message_configuration, treatment.template_configuration),
                name=treatment.treatment_name,
                description=treatment.treatment_description,
            )
            for number, treatment in enumerate(given.additional_treatments, start=1)
        ),
        treatment_name=given.treatment_name,
        treatment_description=given.treatment_description,
        priority=given.priority,
    )


def _schedule(given: pb.Schedule) -> Schedule:
    quiet = given.quiet_time
    return Schedule(
        given.start_time,
        given.end_time,
        QuietTime(quiet.start, quiet.end) if given.HasField("quiet_time") else None,
    )


def _limits(given: channel_pb2.CampaignLimits) -> Limits:
    return Limits(
        given.daily, given.total, given.session, given.messages_per_second, given.maximum_duration
    )


def _says(inline: pb.MessageConfiguration, templates: pb.TemplateConfiguration) -> Says:
    return Says(
        email=_email(inline.email_message) if inline.HasField("email_message") else None,
        sms=_sms(inline.sms_message) if inline.HasField("sms_message") else None,
        email_template=TemplateReference(
            templates.email_template.name, templates.email_template.version
        )
        if templates.HasField("email_template")
        else None,
        sms_template=TemplateReference(templates.sms_template.name, templates.sms_template.version)
        if templates.HasField("sms_template")
        else None,
    )


def _email(given: pb.CampaignEmailMessage) -> EmailMessage:
    headers = tuple((header.name, header.value) for header in given.headers)
    return EmailMessage(given.title, given.body, given.html_body, given.from_address, headers)


def _sms(given: pb.CampaignSmsMessage) -> SmsMessage:
    message_type = "PROMOTIONAL"
    if given.message_type == channel_pb2.MESSAGE_TYPE_TRANSACTIONAL:
        message_type = "TRANSACTIONAL"
    return SmsMessage(
        given.body,
        message_type,
        given.origination_number,
        given.sender_id,
        given.entity_id,
        given.template_id,
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
        message_configuration=_inline_to_proto(definition.says),
        template_configuration=_templates_to_proto(definition.says),
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
        message_configuration=_inline_to_proto(treatment.says),
        template_configuration=_templates_to_proto(treatment.says),
        treatment_name=treatment.name,
        treatment_description=treatment.description,
    )


def _inline_to_proto(says: Says) -> pb.MessageConfiguration | None:
    if says.email is None and says.sms is None:
        return None
    encoded = pb.MessageConfiguration()
    if email := says.email:
        encoded.email_message.CopyFrom(
            pb.CampaignEmailMessage(
                title=email.title,
                body=email.body,
                html_body=email.html_body,
                from_address=email.from_address,
                headers=[channel_pb2.MessageHeader(name=n, value=v) for n, v in email.headers],
            )
        )
    if sms := says.sms:
        encoded.sms_message.CopyFrom(
            pb.CampaignSmsMessage(
                body=sms.body,
                message_type=channel_pb2.MessageType.Value(f"MESSAGE_TYPE_{sms.message_type}"),
                origination_number=sms.origination_number,
                sender_id=sms.sender_id,
                entity_id=sms.entity_id,
                template_id=sms.template_id,
            )
        )
    return encoded


def _templates_to_proto(says: Says) -> pb.TemplateConfiguration | None:
    if says.email_template is None and says.sms_template is None:
        return None
    encoded = pb.TemplateConfiguration()
    if template := says.email_template:
        encoded.email_template.name, encoded.email_template.version = (
            template.name,
            template.version,
        )
    if template := says.sms_template:
        encoded.sms_template.name, encoded.sms_template.version = template.name, template.version
    return encoded


def _schedule_to_proto(schedule: Schedule) -> pb.Schedule:
    encoded = pb.Schedule(
        start_time=schedule.start_time,
        end_time=schedule.end_time,
        frequency=pb.Schedule.FREQUENCY_ONCE,
    )
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
