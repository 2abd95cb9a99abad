"""Push notifications of direct sends: Pinpoint's shape of each service, and the one of ours."""

from collections.abc import Iterator, Mapping
from typing import Final

from touchpoint.messaging.v1 import direct_messages_pb2 as direct
from touchpoint.messaging.v1 import message_pb2
from touchpoint.messaging.v1 import messaging_service_pb2 as pb

from libs.errors import Violations
from services.messaging.clients.notifications import notification_of
from services.messaging.domain.families import APNS_TYPES
from services.messaging.domain.push.check import check

PushMessage = (
    direct.DefaultPushNotificationMessage
    | direct.ApnsMessage
    | direct.GcmMessage
    | direct.AdmMessage
    | direct.BaiduMessage
)
DEFAULT: Final = "default_push_notification_message"
MESSAGES: Final[Mapping[str, str]] = {
    **dict.fromkeys(APNS_TYPES, "apns_message"),
    "GCM": "gcm_message",
    "ADM": "adm_message",
    "BAIDU": "baidu_message",
}
"""Where a service's own message stands in `DirectMessageConfiguration`, by channel type."""
# Fields with another name in the one shape.
_RENAMED: Final = {
    "collapse_id": "collapse_key",
    "consolidation_key": "collapse_key",
    "apns_push_type": "push_type",
    "expires_after": "time_to_live",
}
_OWN: Final = {
    "apns_message": {"collapse_key": "collapse_id", "push_type": "apns_push_type"},
    "adm_message": {"collapse_key": "consolidation_key", "time_to_live": "expires_after"},
}
_SAME: Final[Mapping[str, str]] = {"authentication": "preferred_authentication_method"}


def own_message(
    configuration: pb.DirectMessageConfiguration, channel_type: str
) -> PushMessage | None:
    """What is said on a push channel: its own message, else the push default."""
    for name in (MESSAGES[channel_type], DEFAULT):
        if configuration.HasField(name):  # type: ignore[arg-type]  # a field by its name
            found: PushMessage = getattr(configuration, name)
            return found
    return None


def push_content(message: PushMessage) -> message_pb2.PushContent:
    """The message in the one shape."""
    push = message_pb2.PushContent()
    for field, value in message.ListFields():
        name = _RENAMED.get(field.name, field.name)
        if name == "substitutions":
            continue
        if name == "data":
            push.data.update(value)
        elif field.name == "expires_after":
            push.time_to_live = _seconds(value)
        else:
            setattr(push, name, value)
    return push


def check_push(found: Violations, configuration: pb.DirectMessageConfiguration) -> None:
    """Note every bad field of the push messages, by its place in the request."""
    for name, channel_type in _given(configuration):
        message: PushMessage = getattr(configuration, name)
        where = f"message_configuration.{name}"
        if isinstance(message, direct.AdmMessage) and _is_no_number(message.expires_after):
            found.add(f"{where}.expires_after", "must be a number of seconds")
        own = {**_SAME, **_OWN.get(name, {})}
        for one in check(channel_type, notification_of(push_content(message))).found:
            first, dot, rest = one.field.partition(".")
            found.add(f"{where}.{own.get(first, first)}{dot}{rest}", one.description)


def _given(configuration: pb.DirectMessageConfiguration) -> Iterator[tuple[str, str]]:
    """The push messages that are there, each with a channel type whose rules it must keep."""
    for channel_type in ("APNS", "GCM", "ADM", "BAIDU"):
        if configuration.HasField(MESSAGES[channel_type]):  # type: ignore[arg-type]  # as above
            yield MESSAGES[channel_type], channel_type
    if configuration.HasField(DEFAULT):
        yield DEFAULT, "GCM"


def _seconds(text: str) -> int:
    return 0 if _is_no_number(text) else int(text or "0")


def _is_no_number(text: str) -> bool:
    return bool(text) and not (text.isascii() and text.isdigit() and len(text) <= 9)
