"""Payloads of Apple's service, as the SDKs of Pinpoint read them.

Headers and keys: Apple, "Sending notification requests to APNs" and "Generating a remote
notification".
"""

from datetime import datetime
from typing import Final

from services.messaging.domain.ledger import Reason
from services.messaging.domain.push.notification import Notification
from services.messaging.domain.push.payload import (
    MOST_BYTES,
    Json,
    Payload,
    check_size,
    encoded,
    json_body,
    raw_object,
)
from services.messaging.domain.rendering import RenderingFailed

MOST_VOIP_BYTES: Final = 5120
_SHOWN: Final = ("alert", "badge", "sound")


def payload(channel_type: str, one: Notification, now: datetime) -> Payload:
    """The notification for one device. Raises RenderingFailed."""
    body = encoded(_raw(one) if one.raw_content else _made(one))
    is_voip = "VOIP" in channel_type or one.push_type == "voip"
    check_size(len(body), MOST_VOIP_BYTES if is_voip else MOST_BYTES)
    return Payload(body, tuple(_headers(one, now, is_voip=is_voip).items()))


def _headers(one: Notification, now: datetime, *, is_voip: bool) -> dict[str, str]:
    usual = "background" if one.silent_push else "alert"
    push_type = "voip" if is_voip else one.push_type or usual
    urgent = one.is_urgent is not False and push_type != "background"
    headers = {"apns-push-type": push_type, "apns-priority": "10" if urgent else "5"}
    if one.time_to_live is not None:
        until = int(now.timestamp()) + one.time_to_live if one.time_to_live else 0
        headers["apns-expiration"] = str(until)
    if one.collapse_key:
        headers["apns-collapse-id"] = one.collapse_key
    return headers


def _raw(one: Notification) -> Json:
    raw = raw_object(one)
    aps = raw.get("aps")
    content_available = aps.get("content-available", 0) if isinstance(aps, dict) else None
    # True is 1 to Python and not to Apple.
    if isinstance(content_available, bool) or content_available not in (0, 1):
        why = "the raw content needs `aps`, and its content-available must be 0 or 1"
        raise RenderingFailed(Reason.RENDERING_FAILURE, why)
    if one.silent_push and isinstance(aps, dict) and any(name in aps for name in _SHOWN):
        why = "a silent push may have no alert, badge or sound"
        raise RenderingFailed(Reason.RENDERING_FAILURE, why)
    return raw


def _made(one: Notification) -> Json:
    pinpoint: Json = {**one.context}
    if one.silent_push:
        aps: Json = {"content-available": 1}
        pinpoint["jsonBody"] = json_body(one)
    else:
        aps = _shown(one)
        pinpoint |= _link(one)
    if one.campaign:
        pinpoint["campaign"] = dict(one.campaign)
    if one.trace_id:
        pinpoint["traceId"] = one.trace_id
    data: Json = {"pinpoint": pinpoint} if pinpoint else {}
    if one.media_url:
        data["media-url"] = one.media_url
    return {"aps": aps, "data": data} if data else {"aps": aps}


def _shown(one: Notification) -> Json:
    alert = {name: said for name, said in (("title", one.title), ("body", one.body)) if said}
    aps: Json = {"alert": alert} if alert else {}
    given = (("sound", one.sound), ("category", one.category), ("thread-id", one.thread_id))
    aps |= {name: said for name, said in given if said}
    if one.badge is not None:
        aps["badge"] = one.badge
    if one.media_url:
        # Lets the app's extension fetch what it shows.
        aps["mutable-content"] = 1
    return aps


def _link(one: Notification) -> Json:
    if one.action == "DEEP_LINK":
        return {"deeplink": one.url}
    if one.action == "URL":
        return {"url": one.url}
    return {}
