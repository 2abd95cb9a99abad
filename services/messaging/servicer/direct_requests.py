"""Direct sends as they come in: every bad field named, contents made of what the caller said."""

from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from typing import Final

from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import direct_messages_pb2, message_pb2
from touchpoint.messaging.v1 import messaging_service_pb2 as pb

from libs.errors import NotBuilt, Violations
from services.messaging.domain.direct import MOST_RECIPIENTS
from services.messaging.domain.families import PUSH_TYPES
from services.messaging.domain.recipients import EMAIL, SMS, VOICE, address_fault, normalized
from services.messaging.domain.senders import (
    ORIGINATION_RULE,
    SENDER_ID_RULE,
    is_origination_number,
    is_sender_id,
)
from services.messaging.domain.speech import MOST_SSML
from services.messaging.servicer.names import MESSAGE_TYPES
from services.messaging.servicer.push_contents import check_push, own_message, push_content
from services.messaging.usecases.direct import Content

SendRequest = pb.SendMessagesRequest | pb.SendUsersMessagesRequest
Substitutions = Mapping[str, channel_pb2.StringList]
LONGEST_REQUEST_ID: Final = 128
_MOST_RAW_BYTES: Final = 10 * 1024 * 1024  # spec 6.3
_MOST_HEADERS: Final = 15
_LONGEST_HEADER_NAME: Final = 126
_LONGEST_HEADER_VALUE: Final = 870
_HEADER_VALUE_RULE: Final = "must be one line of up to 870 characters"
_LONGEST_TEXT: Final = 1600  # spec 6.4
TRANSACTIONAL: Final = "TRANSACTIONAL"


def check(request: SendRequest) -> None:
    """Raise InvalidFields naming every bad field of a request."""
    found = Violations()
    found.check(request.application_id, "application_id", "is needed")
    found.check(
        len(request.request_id) <= LONGEST_REQUEST_ID,
        "request_id",
        f"is longer than {LONGEST_REQUEST_ID} characters",
    )
    # It becomes a header of mails.
    found.check(_is_header_value(request.trace_id), "trace_id", _HEADER_VALUE_RULE)
    _check_recipients(found, request)
    said = request.HasField("message_configuration") or request.HasField("template_configuration")
    found.check(said, "message_configuration", "or template_configuration is needed")
    _check_email(found, request.message_configuration.email_message)
    _check_sms(found, request.message_configuration.sms_message)
    _check_voice(found, request.message_configuration.voice_message)
    check_push(found, request.message_configuration)
    for kind in ("email_template", "sms_template", "push_template", "voice_template"):
        if request.template_configuration.HasField(kind):
            template: pb.DirectTemplate = getattr(request.template_configuration, kind)
            where = f"template_configuration.{kind}"
            found.check(template.name, f"{where}.name", "is needed")
            found.check(template.version >= 0, f"{where}.version", "must not be negative")
    found.raise_if_any()
    _refuse_unbuilt(request)


def _check_recipients(found: Violations, request: SendRequest) -> None:
    if isinstance(request, pb.SendUsersMessagesRequest):
        count, where = len(request.users), "users"
        names = [("users", name) for name in request.users]
    else:
        count, where = len(request.addresses) + len(request.endpoints), "addresses"
        names = [("addresses", name) for name in request.addresses]
        names += [("endpoints", name) for name in request.endpoints]
        for address, one in request.addresses.items():
            place = f"addresses[{address!r}].channel_type"
            found.check(one.channel_type, place, "is needed")
    found.check(0 < count <= MOST_RECIPIENTS, where, f"must be 1 to {MOST_RECIPIENTS} recipients")
    for kind, name in names:
        found.check(name.strip(), kind, "has an empty key")


def _check_email(found: Violations, email: pb.EmailMessage) -> None:
    where = "message_configuration.email_message"
    if email.from_address:
        fault = address_fault(EMAIL, parseaddr(email.from_address)[1])
        found.check(not fault, f"{where}.from_address", fault)
    for place, address in enumerate(email.reply_to_addresses):
        fault = address_fault(EMAIL, parseaddr(address)[1])
        found.check(not fault, f"{where}.reply_to_addresses[{place}]", fault)
    fine = len(email.raw_email.data) <= _MOST_RAW_BYTES
    found.check(fine, f"{where}.raw_email.data", f"is larger than {_MOST_RAW_BYTES} bytes")
    _check_headers(found, f"{where}.simple_email.headers", email.simple_email)


def _check_headers(found: Violations, where: str, email: pb.SimpleEmail) -> None:
    found.check(len(email.headers) <= _MOST_HEADERS, where, f"must be at most {_MOST_HEADERS}")
    for place, header in enumerate(email.headers):
        name = header.name
        fine = 0 < len(name) <= _LONGEST_HEADER_NAME and _is_header_name(name)
        found.check(fine, f"{where}[{place}].name", "must be a header's name, up to 126 characters")
        fine = _is_header_value(header.value)
        found.check(fine, f"{where}[{place}].value", _HEADER_VALUE_RULE)


def _is_header_value(value: str) -> bool:
    return len(value) <= _LONGEST_HEADER_VALUE and not {"\r", "\n"} & set(value)


def _is_header_name(name: str) -> bool:
    # RFC 5322, 2.2: printable US-ASCII without the colon.
    return all("!" <= sign <= "~" and sign != ":" for sign in name)


def _check_sms(found: Violations, sms: pb.SmsMessage) -> None:
    where = "message_configuration.sms_message"
    if sms.sender_id:
        found.check(is_sender_id(sms.sender_id), f"{where}.sender_id", SENDER_ID_RULE)
    if sms.origination_number:
        number = normalized(SMS, sms.origination_number)
        fine = is_origination_number(number)
        found.check(fine, f"{where}.origination_number", ORIGINATION_RULE)
    fine = len(sms.body) <= _LONGEST_TEXT
    found.check(fine, f"{where}.body", f"is longer than {_LONGEST_TEXT} characters")


def _check_voice(found: Violations, voice: direct_messages_pb2.VoiceMessage) -> None:
    where = "message_configuration.voice_message"
    fine = len(voice.body) <= MOST_SSML
    found.check(fine, f"{where}.body", f"is longer than {MOST_SSML} characters")
    if voice.origination_number:
        fault = address_fault(VOICE, normalized(VOICE, voice.origination_number))
        found.check(not fault, f"{where}.origination_number", fault)


def _refuse_unbuilt(request: SendRequest) -> None:
    simple = request.message_configuration.email_message.simple_email
    for part in (simple.subject, simple.html_part, simple.text_part):
        if part.charset.upper() not in {"", "UTF-8", "UTF8"}:
            raise NotBuilt(f"charset {part.charset}")


def inline_contents(
    configuration: pb.DirectMessageConfiguration,
) -> Iterator[tuple[str, message_pb2.MessageContent]]:
    """Contents by channel: the channel's own message, else the default message (spec 6.1)."""
    default = configuration.default_message
    email, sms = _email(configuration.email_message), _sms(configuration.sms_message)
    if email.email.subject or email.email.html or email.email.text or email.email.raw:
        yield EMAIL, email
    elif default.body:
        email.email.text = default.body
        email.substitutions.update(first_values(default.substitutions))
        yield EMAIL, email
    if sms.sms.body:
        yield SMS, sms
    elif default.body:
        sms.sms.body = default.body
        sms.substitutions.update(first_values(default.substitutions))
        yield SMS, sms
    if configuration.voice_message.body or default.body:
        yield VOICE, _voice(configuration)
    for channel_type in PUSH_TYPES:
        if own_message(configuration, channel_type) or default.body:
            yield channel_type, _push(configuration, channel_type)


def silent_content(
    configuration: pb.DirectMessageConfiguration, channel_type: str
) -> message_pb2.MessageContent:
    """Content without words, for recipients with a body of their own and to put templates in."""
    if channel_type == EMAIL:
        return _email(configuration.email_message)
    if channel_type == SMS:
        return _sms(configuration.sms_message)
    if channel_type == VOICE:
        return _voice(configuration)
    return _push(configuration, channel_type)


def content(
    said: message_pb2.MessageContent, sms: pb.SmsMessage, *, skip_on_missing: bool
) -> Content:
    """A content ready to be kept; equal words give equal bytes."""
    said.skip_on_missing_variable = skip_on_missing
    is_sms = said.WhichOneof("content") == "sms"
    message_type = MESSAGE_TYPES.name(sms.message_type) if is_sms else ""
    return Content(
        said.SerializeToString(deterministic=True), message_type or TRANSACTIONAL, said.sms.body
    )


def first_values(substitutions: Substitutions) -> dict[str, str]:
    """Values by name; of several the first, as a template renders a list (spec 5.2)."""
    return {name: one.values[0] if one.values else "" for name, one in substitutions.items()}


def _said(substitutions: Substitutions) -> message_pb2.MessageContent:
    return message_pb2.MessageContent(substitutions=first_values(substitutions))


def _email(email: pb.EmailMessage) -> message_pb2.MessageContent:
    said, simple = _said(email.substitutions), email.simple_email
    said.email.subject = simple.subject.data
    said.email.html = simple.html_part.data
    said.email.text = simple.text_part.data
    if not email.HasField("simple_email"):
        said.email.text = email.body
    said.email.from_address = email.from_address
    said.email.reply_to_addresses.extend(email.reply_to_addresses)
    said.email.headers.extend(simple.headers)
    said.email.raw = email.raw_email.data
    said.email.tracked = True
    return said


def _voice(configuration: pb.DirectMessageConfiguration) -> message_pb2.MessageContent:
    voice, default = configuration.voice_message, configuration.default_message
    said = _said(voice.substitutions if voice.body else default.substitutions)
    said.voice.body = voice.body or default.body
    said.voice.language_code = voice.language_code
    said.voice.voice_id = voice.voice_id
    said.voice.origination_number = normalized(VOICE, voice.origination_number)
    return said


def _push(
    configuration: pb.DirectMessageConfiguration, channel_type: str
) -> message_pb2.MessageContent:
    message = own_message(configuration, channel_type)
    if message is None:
        default = configuration.default_message
        said = _said(default.substitutions)
        said.push.body = default.body
        return said
    said = _said(message.substitutions)
    said.push.CopyFrom(push_content(message))
    return said


def _sms(sms: pb.SmsMessage) -> message_pb2.MessageContent:
    said = _said(sms.substitutions)
    said.sms.body = sms.body
    said.sms.origination_number = normalized(SMS, sms.origination_number)
    said.sms.sender_id = sms.sender_id
    said.sms.keyword = sms.keyword
    said.sms.entity_id = sms.entity_id
    said.sms.template_id = sms.template_id
    return said
