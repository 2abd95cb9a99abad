"""Payloads of Amazon Device Messaging (ADM, "Sending a message via ADM", version 1)."""

import base64
import hashlib
from collections.abc import Mapping

from services.messaging.domain.push.android import data_of
from services.messaging.domain.push.notification import Notification
from services.messaging.domain.push.payload import (
    MOST_ADM_BYTES,
    Json,
    Payload,
    check_size,
    encoded,
    raw_object,
)


def payload(one: Notification) -> Payload:
    """The notification for one device. Raises RenderingFailed."""
    made = raw_object(one) if one.raw_content else _made(one)
    if "data" not in made and "notification" not in made:
        made = {"data": made}
    check_size(len(encoded(made.get("data") or made)), MOST_ADM_BYTES)
    return Payload(encoded(made))


def checksum(data: Mapping[str, str]) -> str:
    """Base64 of the MD5 of the data: `key:value`, sorted by key, joined by commas."""
    joined = ",".join(f"{name}:{data[name]}" for name in sorted(data))
    return base64.b64encode(hashlib.md5(joined.encode(), usedforsecurity=False).digest()).decode()


def _made(one: Notification) -> Json:
    data = data_of(one)
    made: Json = {"data": data, "md5": checksum(data)}
    if one.collapse_key:
        made["consolidationKey"] = one.collapse_key
    if one.time_to_live is not None:
        made["expiresAfter"] = one.time_to_live
    return made
