"""Payloads of Firebase Cloud Messaging, HTTP v1 (REST reference, projects.messages)."""

from typing import Any, Final

from services.messaging.domain.ledger import Reason
from services.messaging.domain.push.android import data_of
from services.messaging.domain.push.notification import Notification
from services.messaging.domain.push.payload import (
    MOST_BYTES,
    Json,
    Payload,
    check_size,
    encoded,
    raw_object,
)
from services.messaging.domain.rendering import RenderingFailed

# Of the legacy API: which of its members live where in a message of v1.
_ANDROID: Final = ("collapse_key", "restricted_package_name")


def payload(one: Notification, token: str) -> Payload:
    """The notification for one device. Raises RenderingFailed."""
    message = _raw(raw_object(one)) if one.raw_content else _made(one)
    content: Json = {name: message[name] for name in ("data", "notification") if name in message}
    check_size(len(encoded(content)), MOST_BYTES)
    return Payload(encoded({"message": {**message, "token": token}}))


def _made(one: Notification) -> Json:
    android: Json = {"priority": "HIGH" if one.is_urgent else "NORMAL"}
    if one.time_to_live is not None:
        android["ttl"] = f"{one.time_to_live}s"
    if one.collapse_key:
        android["collapse_key"] = one.collapse_key
    if one.restricted_package_name:
        android["restricted_package_name"] = one.restricted_package_name
    return {"data": data_of(one), "android": android}


def _raw(raw: Json) -> Json:
    """A message of v1 as it is, alone or as Pinpoint took it; one of the legacy API in its form."""
    for inner in (raw.get("fcmV1Message", raw), raw):
        message = inner.get("message") if isinstance(inner, dict) else None
        if isinstance(message, dict):
            return {name: value for name, value in message.items() if name not in _TARGETS}
    return _of_legacy(raw)


_TARGETS: Final = ("token", "topic", "condition", "fid")


def _of_legacy(raw: Json) -> Json:
    android: Json = {name: raw[name] for name in _ANDROID if name in raw}
    if "priority" in raw:
        android["priority"] = str(raw["priority"]).upper()
    if "time_to_live" in raw:
        android["ttl"] = f"{raw['time_to_live']}s"
    message: Json = {"android": android} if android else {}
    if isinstance(raw.get("data"), dict):
        message["data"] = {name: _text(value) for name, value in raw["data"].items()}
    if isinstance(raw.get("notification"), dict):
        message |= _notification(raw["notification"], android)
    if not {"data", "notification"} & set(message):
        why = "the raw content needs `message`, `notification` or `data`"
        raise RenderingFailed(Reason.RENDERING_FAILURE, why)
    return message


def _notification(legacy: Json, android: Json) -> Json:
    """v1 keeps what all platforms know apart from what Android alone does."""
    common = {name: legacy[name] for name in ("title", "body", "image") if name in legacy}
    names = {"android_channel_id": "channel_id"}
    own = {names.get(n, n): value for n, value in legacy.items() if n not in common}
    return {"notification": common, "android": {**android, "notification": own} if own else android}


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    return value if isinstance(value, str) else encoded(value).decode()
