"""What is said by push: of a campaign's own message, or of a template's part for the service."""

from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import message_pb2
from touchpoint.templates.v1 import template_pb2

from services.campaigns.domain.push import SERVICE_OF, PushMessage, life_at

Part = (
    template_pb2.DefaultPushTemplate
    | template_pb2.ApnsPushTemplate
    | template_pb2.AndroidPushTemplate
)


def inline_push(message: PushMessage, channel: str) -> message_pb2.MessageContent:
    """A campaign's own message as one channel type takes it."""
    push = message_pb2.PushContent(
        title=message.title,
        body=message.body,
        action=channel_pb2.PushAction.Value(f"PUSH_ACTION_{message.action or 'UNSPECIFIED'}"),
        url=message.url,
        raw_content=message.raw_content,
        silent_push=message.silent_push,
        json_body=message.json_body if message.silent_push else "",
        time_to_live=life_at(channel, message.time_to_live),
    )
    # Apple devices show one picture or film, the others pictures and icons (spec 6.5).
    if SERVICE_OF[channel] == "apns":
        push.media_url = message.media_url
    else:
        push.image_url = message.image_url
        push.image_icon_url = message.image_icon_url
        push.small_image_icon_url = message.image_small_icon_url
    return message_pb2.MessageContent(push=push)


def template_push(
    template: template_pb2.Template, channel: str
) -> message_pb2.MessageContent | None:
    """What a template says on a channel type; None when it has no part for it and no default."""
    part = _part(template.push, SERVICE_OF[channel])
    if part is None:
        return None
    content = message_pb2.MessageContent(default_substitutions=template.default_substitutions)
    for field, value in part.ListFields():
        setattr(content.push, field.name, value)
    return content


def _part(push: template_pb2.PushTemplateContent, service: str) -> Part | None:
    """The part for a service replaces the default, whole (spec 5.1)."""
    for name in (service, "default"):
        if push.HasField(name):  # type: ignore[arg-type]  # parts are named after services
            part: Part = getattr(push, name)
            return part
    return None
