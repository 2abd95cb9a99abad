"""What all payloads have in common."""

import json
from dataclasses import dataclass
from typing import Any, Final

from libs.json_object import json_object
from services.messaging.domain.ledger import Reason
from services.messaging.domain.push.notification import Notification
from services.messaging.domain.rendering import RenderingFailed

MOST_BYTES: Final = 4096
"""Of APNs (VoIP takes 5 KB), FCM and Baidu (spec 6.5)."""
MOST_ADM_BYTES: Final = 6144
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Payload:
    """The body of a request to a service, and the headers that belong to the notification."""

    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def encoded(value: Json) -> bytes:
    """JSON without spaces: bytes are counted."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def raw_object(one: Notification) -> Json:
    """The raw content of a notification. Raises RenderingFailed when it is no JSON object."""
    read = json_object(one.raw_content)
    if read is None:
        raise RenderingFailed(Reason.RENDERING_FAILURE, "the raw content is no JSON object")
    return read


def check_size(size: int, most: int) -> None:
    """Raise RenderingFailed when a payload is too large for its service."""
    if size > most:
        raise RenderingFailed(Reason.CONTENT_TOO_LONG, f"{size} bytes, at most {most} are sent")


def json_body(one: Notification) -> str:
    """What a silent push tells the app, as text (`data.pinpoint.jsonBody`)."""
    return one.json_body or json.dumps(dict(one.data), ensure_ascii=False, separators=(",", ":"))
