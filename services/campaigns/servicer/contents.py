"""What a campaign says, between its proto form and the domain's."""

from collections.abc import Mapping

from touchpoint.campaigns.v1 import campaign_pb2 as pb
from touchpoint.common.v1 import channel_pb2, in_app_pb2

from libs.endpoint_values import CHANNELS
from services.campaigns.domain.campaign import (
    CustomDelivery,
    EmailMessage,
    Says,
    SmsMessage,
    TemplateReference,
)
from services.campaigns.domain.push import PushMessage, PushMessages

_ACTIONS = {
    value.number: value.name.removeprefix("PUSH_ACTION_") if value.number else ""
    for value in channel_pb2.PushAction.DESCRIPTOR.values
}
_SERVICES = ("default", "apns", "gcm", "adm", "baidu")


def says_from_proto(given: pb.Campaign | pb.Treatment) -> Says:
    """What a campaign itself or a treatment says."""
    inline, templates = given.message_configuration, given.template_configuration
    in_app, custom = inline.in_app_message, inline.custom_message
    delivery = given.custom_delivery_configuration
    return Says(
        email=_email(inline.email_message) if inline.HasField("email_message") else None,
        sms=_sms(inline.sms_message) if inline.HasField("sms_message") else None,
        push=PushMessages(**_push_messages(inline)),
        in_app=in_app.SerializeToString() if inline.HasField("in_app_message") else None,
        custom_data=custom.data if inline.HasField("custom_message") else None,
        custom_delivery=_delivery(delivery)
        if given.HasField("custom_delivery_configuration")
        else None,
        **{
            field.name: TemplateReference(reference.name, reference.version)
            for field, reference in templates.ListFields()
        },
    )


def _delivery(given: pb.CustomDeliveryConfiguration) -> CustomDelivery:
    # A number that no type has is kept as one that is refused.
    names = (CHANNELS.get(number, "") for number in given.endpoint_types)
    return CustomDelivery(given.delivery_uri, tuple(names))


def delivery_to_proto(says: Says) -> pb.CustomDeliveryConfiguration | None:
    """The webhook of a treatment; None when it has none."""
    delivery = says.custom_delivery
    if delivery is None:
        return None
    return pb.CustomDeliveryConfiguration(
        delivery_uri=delivery.delivery_uri,
        endpoint_types=[
            channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{name}")
            for name in delivery.endpoint_types
        ],
    )


def _push_messages(inline: pb.MessageConfiguration) -> dict[str, PushMessage]:
    given = {field.name: message for field, message in inline.ListFields()}
    named = {service: given.get(f"{service}_message") for service in _SERVICES}
    return {service: _push(message) for service, message in named.items() if message is not None}


def _push(given: pb.CampaignPushMessage) -> PushMessage:
    values = {field.name: value for field, value in given.ListFields()}
    # A number that no action has is kept as one that is refused.
    return PushMessage(**{**values, "action": _ACTIONS.get(given.action, "UNKNOWN")})


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


def inline_to_proto(says: Says) -> pb.MessageConfiguration | None:
    """What a treatment says inline; None when it says nothing so."""
    encoded = pb.MessageConfiguration(
        email_message=_email_to_proto(says.email) if says.email else None,
        sms_message=_sms_to_proto(says.sms) if says.sms else None,
    )
    if says.custom_data is not None:
        encoded.custom_message.data = says.custom_data
        encoded.custom_message.SetInParent()
    for service, message in says.push.given():
        getattr(encoded, f"{service}_message").CopyFrom(_push_to_proto(message))
    if says.in_app is not None:
        encoded.in_app_message.CopyFrom(in_app_pb2.InAppMessage.FromString(says.in_app))
    return encoded if encoded.ListFields() else None


def _email_to_proto(email: EmailMessage) -> pb.CampaignEmailMessage:
    return pb.CampaignEmailMessage(
        title=email.title,
        body=email.body,
        html_body=email.html_body,
        from_address=email.from_address,
        headers=[channel_pb2.MessageHeader(name=n, value=v) for n, v in email.headers],
    )


def _sms_to_proto(sms: SmsMessage) -> pb.CampaignSmsMessage:
    return pb.CampaignSmsMessage(
        body=sms.body,
        message_type=channel_pb2.MessageType.Value(f"MESSAGE_TYPE_{sms.message_type}"),
        origination_number=sms.origination_number,
        sender_id=sms.sender_id,
        entity_id=sms.entity_id,
        template_id=sms.template_id,
    )


def _push_to_proto(push: PushMessage) -> pb.CampaignPushMessage:
    return pb.CampaignPushMessage(
        title=push.title,
        body=push.body,
        action=channel_pb2.PushAction.Value(f"PUSH_ACTION_{push.action or 'UNSPECIFIED'}"),
        url=push.url,
        image_icon_url=push.image_icon_url,
        image_small_icon_url=push.image_small_icon_url,
        image_url=push.image_url,
        json_body=push.json_body,
        media_url=push.media_url,
        raw_content=push.raw_content,
        silent_push=push.silent_push,
        time_to_live=push.time_to_live,
    )


def templates_to_proto(says: Says) -> pb.TemplateConfiguration | None:
    """The templates a treatment names; None when it names none."""
    named: Mapping[str, pb.TemplateReference] = {
        field: pb.TemplateReference(name=one.name, version=one.version)
        for field, one in says.templates.items()
    }
    return pb.TemplateConfiguration(**named) if named else None
