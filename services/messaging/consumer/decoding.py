"""`SendBatch` and `MessageContent` to the domain's values, reading only what the words ask for."""

from collections.abc import Mapping
from typing import Final

from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import message_pb2 as pb

from libs.endpoint_values import CHANNELS, Reader
from libs.ssml import is_ssml
from libs.timestamps import from_timestamp
from services.messaging.clients.notifications import notification_of
from services.messaging.domain.ledger import Origin
from services.messaging.domain.push.words import PushWords
from services.messaging.domain.rendering import Content, Source
from services.messaging.domain.webhooks import CustomWords
from services.messaging.domain.work import Recipient, Words, Work

TYPES: Final[Mapping[int, str]] = {
    channel_pb2.MESSAGE_TYPE_TRANSACTIONAL: "TRANSACTIONAL",
    channel_pb2.MESSAGE_TYPE_PROMOTIONAL: "PROMOTIONAL",
    channel_pb2.MESSAGE_TYPE_UNSPECIFIED: "PROMOTIONAL",
}


def work_of(batch: pb.SendBatch) -> Work:
    """A batch without its recipients."""
    origin = batch.origin
    return Work(
        batch.batch_id,
        batch.dispatch_id,
        Origin(origin.application_id, origin.campaign_id, origin.activity_id, origin.request_id),
        CHANNELS[batch.channel_type],
        TYPES[batch.message_type],
        batch.content_id,
        batch.treatment_id,
        from_timestamp(batch.expire_time),
        batch.messages_per_second,
        dict(batch.context),
        batch.trace_id,
    )


def recipients_of(batch: pb.SendBatch, read: Reader) -> list[Recipient]:
    """The recipients, with the values of their endpoints that `read` picks."""
    return [
        Recipient(
            one.message_id,
            one.endpoint_id,
            one.address,
            one.user_id,
            dict(one.substitutions),
            read(one.endpoint),
            one.body_override,
            one.title_override,
            dict(one.context) if one.context else None,
            one.raw_content,
        )
        for one in batch.recipients
    ]


def push_words(channel_type: str, content: pb.MessageContent) -> Words:
    """A notification with its templates compiled. Raises RenderingFailed."""
    push = PushWords(notification_of(content.push))
    source = Source(
        channel_type,
        text=push.notification.body,
        subject=push.notification.title,
        headers=push.texts,
        substitutions=dict(content.substitutions),
        defaults=dict(content.default_substitutions),
        skip_on_missing=content.skip_on_missing_variable,
    )
    return Words(Content(source), push=push)


def voice_words(channel_type: str, content: pb.MessageContent) -> Words:
    """A call with its templates compiled; values in SSML are escaped. Raises RenderingFailed."""
    voice = content.voice
    is_xml = is_ssml(voice.body)
    source = Source(
        channel_type,
        text="" if is_xml else voice.body,
        html=voice.body if is_xml else "",
        substitutions=dict(content.substitutions),
        defaults=dict(content.default_substitutions),
        skip_on_missing=content.skip_on_missing_variable,
    )
    return Words(
        Content(source),
        origination_number=voice.origination_number,
        language_code=voice.language_code,
        voice_id=voice.voice_id,
    )


def custom_words(channel_type: str, content: pb.MessageContent) -> Words:
    """What a webhook is told; nothing of it is a template."""
    custom = content.custom
    when = custom.scheduled_time.ToJsonString() if custom.HasField("scheduled_time") else ""
    told = CustomWords(custom.delivery_uri, custom.data, when)
    return Words(Content(Source(channel_type)), custom=told)


def words_of(channel_type: str, body: bytes) -> Words:
    """A content with its templates compiled. Raises RenderingFailed."""
    content = pb.MessageContent.FromString(body)
    kind = content.WhichOneof("content")
    if kind == "push":
        return push_words(channel_type, content)
    if kind == "voice":
        return voice_words(channel_type, content)
    if kind == "custom":
        return custom_words(channel_type, content)
    email, sms = content.email, content.sms
    is_sms = kind == "sms"
    source = Source(
        channel_type,
        text=sms.body if is_sms else email.text,
        subject=email.subject,
        html=email.html,
        headers=tuple((header.name, header.value) for header in email.headers),
        substitutions=dict(content.substitutions),
        defaults=dict(content.default_substitutions),
        skip_on_missing=content.skip_on_missing_variable,
    )
    return Words(
        Content(source),
        email.from_address,
        tuple(email.reply_to_addresses),
        email.raw,
        email.tracked,
        email.unsubscribable,
        sms.origination_number,
        sms.sender_id,
        sms.entity_id,
        sms.template_id,
    )
