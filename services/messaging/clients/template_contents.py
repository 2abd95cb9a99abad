"""Templates of the templates service, as contents of ours."""

from touchpoint.messaging.v1 import message_pb2
from touchpoint.templates.v1 import template_pb2

from services.messaging.domain.families import family
from services.messaging.domain.recipients import EMAIL, SMS, VOICE

PushPart = (
    template_pb2.DefaultPushTemplate
    | template_pb2.ApnsPushTemplate
    | template_pb2.AndroidPushTemplate
)


def content_of(template: template_pb2.Template, channel_type: str) -> message_pb2.MessageContent:
    """What a template says on a channel."""
    content = message_pb2.MessageContent(default_substitutions=template.default_substitutions)
    if channel_type == EMAIL:
        email = template.email
        content.email.subject = email.subject
        content.email.html = email.html_part
        content.email.text = email.text_part
        content.email.headers.extend(email.headers)
        content.email.tracked = True
    elif channel_type == SMS:
        content.sms.body = template.sms.body
    elif channel_type == VOICE:
        voice = template.voice
        content.voice.body = voice.body
        content.voice.language_code, content.voice.voice_id = voice.language_code, voice.voice_id
    else:
        _fill(content.push, _part(template.push, channel_type))
    return content


def _part(push: template_pb2.PushTemplateContent, channel_type: str) -> PushPart:
    """The part of a service overrides the default, whole (spec 5.1)."""
    name = family(channel_type)
    if push.HasField(name):  # type: ignore[arg-type]  # parts are named after families
        part: PushPart = getattr(push, name)
        return part
    return push.default


def _fill(push: message_pb2.PushContent, part: PushPart) -> None:
    for field, value in part.ListFields():
        setattr(push, field.name, value)
