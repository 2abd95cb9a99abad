"""Templates between the wire and the domain."""

from google.protobuf.message import Message
from touchpoint.common.v1 import channel_pb2, in_app_pb2
from touchpoint.templates.v1 import template_pb2

from libs.errors import InvalidFields, Violation, Violations
from libs.in_app import check_in_app
from libs.timestamps import to_timestamp
from services.templates import usecases
from services.templates.domain.contents import PUSH_PARTS
from services.templates.domain.template import Content, Template

_FACTS = frozenset({"action", "sound", "language_code", "voice_id"})


def kind_of(given: template_pb2.TemplateType.ValueType, path: str = "template_type") -> str:
    """The kind of a template type: its name without the prefix.

    Raises InvalidFields, under the path in the request, for a type that is not set or not known.
    """
    if not (kind := _kind(given)):
        raise InvalidFields([Violation(path, "is required")])
    return kind


def from_proto(given: template_pb2.Template) -> Template:
    """The template as the domain has it; without a kind and content when its type is none."""
    kind = _kind(given.template_type)
    return Template(
        name=given.template_name,
        kind=kind,
        content=_content(given, kind),
        description=given.template_description,
        default_substitutions=dict(given.default_substitutions),
        tags=dict(given.tags),
    )


def check_document(found: Violations, given: template_pb2.Template) -> None:
    """Note what is wrong with the in-app message of a template that is one."""
    if given.template_type == template_pb2.TEMPLATE_TYPE_INAPP:
        check_in_app(found, given.in_app, "template.in_app")


def to_proto(template: Template) -> template_pb2.Template:
    """The template as it is told."""
    encoded = template_pb2.Template(
        template_name=template.name,
        template_type=template_pb2.TemplateType.Value(f"TEMPLATE_TYPE_{template.kind}"),
        version=template.version,
        active=template.active,
        template_description=template.description,
        default_substitutions=template.default_substitutions,
        tags=template.tags,
        creation_date=to_timestamp(template.creation_date),
        last_modified_date=to_timestamp(template.last_modified_date),
        variables=usecases.variables(template),
    )
    _fill(encoded, template)
    return encoded


def _kind(given: template_pb2.TemplateType.ValueType) -> str:
    """The kind; empty when it is not set or not known."""
    known = template_pb2.TemplateType.DESCRIPTOR.values_by_number
    name = known[given].name if given and given in known else ""
    return name.removeprefix("TEMPLATE_TYPE_")


def _content(given: template_pb2.Template, kind: str) -> Content:
    if not kind:
        return Content()
    if kind == "SMS":
        return Content({"body": given.sms.body})
    if kind == "PUSH":
        return _push_content(given.push)
    if kind == "VOICE":
        return Content(*_split(given.voice, ""))
    if kind == "INAPP":
        return Content(document=given.in_app.SerializeToString(deterministic=True))
    email = given.email
    parts = {"subject": email.subject, "html_part": email.html_part, "text_part": email.text_part}
    return Content(parts, tuple((header.name, header.value) for header in email.headers))


def _push_content(push: template_pb2.PushTemplateContent) -> Content:
    parts: dict[str, str] = {}
    facts: dict[str, str] = {}
    for name in PUSH_PARTS:
        own, _, own_facts = _split(getattr(push, name), f"{name}.")
        parts |= own
        facts |= own_facts
    return Content(parts, (), facts)


def _split(part: Message, begin: str) -> tuple[dict[str, str], tuple[()], dict[str, str]]:
    """Texts that are templates, no headers, and what is taken as it is."""
    parts, facts = {}, {}
    for field, value in part.ListFields():
        if field.name == "action":
            facts[begin + field.name] = _action(value)
        elif field.name in _FACTS:
            facts[begin + field.name] = value
        else:
            parts[begin + field.name] = value
    return parts, (), facts


def _action(value: int) -> str:
    """The name of an action; its number when there is none of it, which checks refuse."""
    known = channel_pb2.PushAction.DESCRIPTOR.values_by_number
    return known[value].name.removeprefix("PUSH_ACTION_") if value in known else str(value)


def _fill(encoded: template_pb2.Template, template: Template) -> None:
    content, parts = template.content, template.content.parts
    if template.kind == "SMS":
        encoded.sms.body = parts["body"]
    elif template.kind == "PUSH":
        encoded.push.SetInParent()
        for name, value in (*parts.items(), *content.facts.items()):
            part, _, field = name.partition(".")
            _set(getattr(encoded.push, part), field, value)
    elif template.kind == "VOICE":
        for name, value in (*parts.items(), *content.facts.items()):
            _set(encoded.voice, name, value)
    elif template.kind == "INAPP":
        encoded.in_app.CopyFrom(in_app_pb2.InAppMessage.FromString(content.document))
    else:
        _fill_email(encoded.email, content)


def _fill_email(email: template_pb2.EmailTemplateContent, content: Content) -> None:
    email.subject = content.parts["subject"]
    email.html_part = content.parts["html_part"]
    email.text_part = content.parts["text_part"]
    email.headers.extend(
        channel_pb2.MessageHeader(name=name, value=value) for name, value in content.headers
    )


def _set(message: Message, field: str, value: str) -> None:
    if field == "action":
        setattr(message, field, channel_pb2.PushAction.Value(f"PUSH_ACTION_{value}"))
    else:
        setattr(message, field, value)
