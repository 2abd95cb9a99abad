"""Payloads of Baidu Cloud Push (REST API 3.0, push/single_device); the adapter signs them."""

from urllib.parse import urlencode

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

_MESSAGE, _NOTIFICATION = "0", "1"
_OPEN_URL, _OPEN_APP = 1, 2
_SHOWN = frozenset({"pinpoint.notification.title", "pinpoint.notification.body"})


def payload(one: Notification, token: str) -> Payload:
    """The notification for one device, as a form. Raises RenderingFailed."""
    message = raw_object(one) if one.raw_content else _made(one)
    text = encoded(message)
    check_size(len(text), MOST_BYTES)
    is_shown = not one.silent_push
    form = {
        "channel_id": token,
        "msg_type": _NOTIFICATION if is_shown else _MESSAGE,
        "msg": text.decode(),
        "device_type": "3",
    }
    if one.time_to_live is not None:
        form["msg_expires"] = str(one.time_to_live)
    return Payload(urlencode(form).encode())


def _made(one: Notification) -> Json:
    data = data_of(one)
    if one.silent_push:
        return dict(data)
    # Title and body once: every byte counts.
    own = {name: value for name, value in data.items() if name not in _SHOWN}
    made: Json = {"title": one.title, "description": one.body, "custom_content": own}
    if one.action == "URL":
        return {**made, "open_type": _OPEN_URL, "url": one.url}
    return {**made, "open_type": _OPEN_APP}
