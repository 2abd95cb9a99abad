"""What a visit to a signed link means: which event it is, whether it counts, where it may lead."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

_LONGEST_USER_AGENT: Final = 200
_HOUR_SECONDS: Final = 3600


class Kind(Enum):
    """What a link is for; the value is the event a visit makes (spec 6.3)."""

    OPEN = "_email.open"
    CLICK = "_email.click"
    UNSUBSCRIBE = "_email.unsubscribe"


@dataclass(frozen=True, slots=True)
class Link:
    """What a link carries; texts are empty when the message has no such thing."""

    kind: Kind
    app_id: str
    message_id: str
    endpoint_id: str = ""
    campaign_id: str = ""
    activity_id: str = ""
    treatment_id: str = ""
    url: str = ""
    address: str = ""

    @property
    def client_id(self) -> str:
        """The endpoint, or the address of a message without one."""
        return self.endpoint_id or self.address


@dataclass(frozen=True, slots=True)
class Hit:
    """An event to publish."""

    event_id: str
    event_type: str
    app_id: str
    client_id: str
    event_time: datetime
    attributes: Mapping[str, str]


CALLBACK_SOURCES: Final = ("TWILIO", "AMAZON_SNS")
CALLBACK_CHANNELS: Final = ("EMAIL", "SMS", "VOICE")


@dataclass(frozen=True, slots=True)
class Callback:
    """A provider's call, unread. `url` is the public one; header names are in lower case."""

    source: str
    app_id: str
    channel_type: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def in_path(name: str, known: Collection[str]) -> str:
    """The name that a part of a path means, such as `amazon-sns`; empty when it is none."""
    meant = name.upper().replace("-", "_")
    return meant if name == name.lower() and meant in known else ""


def hit(link: Link, now: datetime, user_agent: str = "") -> Hit:
    """The event of a visit at `now`.

    Ids are derived, so that publishing again repeats nothing. Repeats of an open within one clock
    hour are one event; every click is an event of its own, as figures of direct mail count each
    (spec 6.3), and analytics counts those of one link and hour once for charts; an unsubscription
    happens once a message.
    """
    return Hit(
        _event_id(link, now),
        link.kind.value,
        link.app_id,
        link.client_id,
        now,
        _attributes(link, user_agent),
    )


def _event_id(link: Link, now: datetime) -> str:
    seconds = now.timestamp()
    moment = {
        Kind.OPEN: str(int(seconds) // _HOUR_SECONDS),
        Kind.CLICK: f"{int(seconds * 1_000_000)} {link.url}",
        Kind.UNSUBSCRIBE: "",
    }[link.kind]
    text = f"{link.kind.value} {len(link.message_id)}:{link.message_id}{moment}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _attributes(link: Link, user_agent: str) -> dict[str, str]:
    feedback = {Kind.OPEN: "opened", Kind.CLICK: link.url, Kind.UNSUBSCRIBE: "unsubscribed"}
    attributes = {
        "message_id": link.message_id,
        "campaign_id": link.campaign_id,
        "campaign_activity_id": link.activity_id,
        "treatment_id": link.treatment_id,
        "feedback": feedback[link.kind],
        "user_agent": user_agent[:_LONGEST_USER_AGENT],
    }
    return {name: value for name, value in attributes.items() if value}


# What browsers and mail programs send when they fetch a page nobody has asked for yet
# (Fetch standard, `Sec-Purpose`; the older `Purpose` and `X-Moz`).
_PREFETCH_HEADERS: Final = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def is_a_person(method: str, headers: Mapping[str, str]) -> bool:
    """Whether a visit counts: HEAD requests and prefetchers do not. Header names in lower case."""
    if method == "HEAD":
        return False
    told = " ".join(headers.get(name, "") for name in _PREFETCH_HEADERS).lower()
    return "prefetch" not in told and "preview" not in told


def may_lead_to(url: str) -> bool:
    """Whether a click may be sent to this URL: http and https with a host, nothing hidden in it."""
    if any(character <= " " or character == "\x7f" for character in url) or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return False
