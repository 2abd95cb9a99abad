"""Webhooks: what they are told, how that is signed, what their answers say (spec 6.8).

Signatures are those of Standard Webhooks 1.0 (standardwebhooks.com).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.messaging.domain.ledger import Pairs

MOST_ENDPOINTS: Final = 50
MOST_BYTES: Final = 6_000_000
"""Of a request and of an answer (spec 6.8: 6 MB each way)."""
DEADLINE_SECONDS: Final = 15.0
SECRET_BYTES: Final = 32
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - no secret
OWNER_HEADER: Final = "x-touchpoint-application-id"
MESSAGE_IDS_HEADER: Final = "x-touchpoint-message-ids"
OVERLAP: Final = timedelta(days=1)
"""How long a secret still signs after another took its place."""
MOST_SECRETS: Final = 5
_MOST_ATTRIBUTES: Final = 5
_LONGEST: Final = 128


@dataclass(frozen=True, slots=True)
class Secret:
    """What signs requests: `text` is `whsec_` and the key in base64."""

    text: str = field(repr=False)
    create_time: datetime


@dataclass(frozen=True, slots=True)
class CustomChannel:
    """The custom channel of an application: the keys that sign, newest first. It is always on."""

    keys: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class CustomWords:
    """What a webhook is told beside its endpoints; `scheduled_time` is ISO 8601."""

    delivery_uri: str
    data: str = ""
    scheduled_time: str = ""


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """What all requests of one batch have in common: where to, what is said, who signs."""

    url: str
    app_id: str
    head: Mapping[str, object]
    keys: tuple[bytes, ...] = field(repr=False)


def secret_text(key: bytes) -> str:
    """A key as people and libraries take it."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def key_of(secret: str) -> bytes:
    """The key of a secret."""
    return base64.b64decode(secret.removeprefix(SECRET_PREFIX))


def in_force(secrets: Sequence[Secret], now: datetime) -> list[Secret]:
    """Those that sign now, newest first: the newest, and those it replaced a short time ago."""
    replaced = [newer.create_time for newer in secrets[:-1]]
    old = [one for one, at in zip(secrets[1:], replaced, strict=True) if now - at < OVERLAP]
    return [*secrets[:1], *old][:MOST_SECRETS]


def signature(keys: Iterable[bytes], webhook_id: str, timestamp: int, body: bytes) -> str:
    """`webhook-signature`: one a key, over id, timestamp and body."""
    signed = b"%b.%d.%b" % (webhook_id.encode(), timestamp, body)
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def owners_of(header: str) -> frozenset[str]:
    """The applications that the owner of a URL names."""
    return frozenset(filter(None, (one.strip() for one in header.split(","))))


def head_of(words: CustomWords, app_id: str, campaign: Mapping[str, str]) -> dict[str, object]:
    """The request without its endpoints; `campaign` are campaign, treatment and run."""
    return {
        "Message": {},
        "Data": words.data,
        "ApplicationId": app_id,
        **campaign,
        "ScheduledTime": words.scheduled_time,
    }


def endpoint_document(endpoint: Mapping[str, object]) -> dict[str, object]:
    """An endpoint as the receiver reads it: without what is not known of it."""
    found: dict[str, object] = {}
    for name, value in endpoint.items():
        inner = endpoint_document(value) if isinstance(value, Mapping) else value
        if inner not in (None, "", {}):
            found[name] = inner
    return found


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says: attributes by endpoint id, and whether all of it could be read."""

    attributes: Mapping[str, Pairs]
    is_whole: bool = True


def read_answer(body: bytes) -> Reading:
    """`{endpoint id: {"EventAttributes": {name: value}}}`; what is no such thing is left out."""
    try:
        document = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        return Reading({}, is_whole=False)
    if not isinstance(document, dict):
        return Reading({}, is_whole=False)
    read = {key: _attributes(value) for key, value in document.items()}
    fine = {key: pairs for key, pairs in read.items() if pairs is not None}
    return Reading(fine, is_whole=len(fine) == len(read))


def _attributes(value: object) -> Pairs | None:
    given = value.get("EventAttributes", {}) if isinstance(value, dict) else None
    if not isinstance(given, dict) or len(given) > _MOST_ATTRIBUTES:
        return None
    fine = all(name and _is_short(name) and _is_short(said) for name, said in given.items())
    return tuple(given.items()) if fine else None


def _is_short(text: object) -> bool:
    # Half a surrogate pair fits into no UTF-8 text, and so into no event.
    if not isinstance(text, str) or len(text) > _LONGEST:
        return False
    return text.encode("utf-8", "replace").decode() == text
