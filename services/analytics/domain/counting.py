"""How events become counters: keys, marks that make a thing count once, and the sums of a batch."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from services.analytics.domain.names import OUTCOMES

DAY_SECONDS: Final = 86_400
_HOUR_SECONDS: Final = 3_600
_ID_BYTES: Final = 16
_SCOPE_BYTES: Final = 6
# Repeats within one clock hour count once in charts (spec 6.3).
_HOURLY: Final = frozenset({"_email.open", "_email.click"})


class Happened(Protocol):
    """What counting looks at, whatever carries it."""

    @property
    def event_id(self) -> str: ...
    @property
    def event_type(self) -> str: ...
    @property
    def application_id(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...


class Key(NamedTuple):
    """What a counter counts; unknown texts are empty, `day` is days since 1970-01-01 in UTC."""

    app_id: str
    campaign_id: str
    activity_id: str
    treatment_id: str
    event_type: str
    channel: str
    status: str
    country: str
    day: int


class Fact(NamedTuple):
    """One event as counting sees it.

    `unique_mark` and `hourly_mark` name the thing that counts once: the endpoint in its activity,
    and the link in its clock hour. Empty when the event has no such thing, or when it is `single`:
    no other event can be of the same thing, so that storing it once counts it once.
    """

    key: Key
    single: bool = False
    unique_mark: bytes = b""
    hourly_mark: bytes = b""
    parts: int = 0
    price: float = 0.0


class Record(NamedTuple):
    """An event to store: its id in the store, its time in epoch milliseconds, the event itself."""

    record_id: bytes
    client_id: str
    milliseconds: int
    body: bytes
    fact: Fact


@dataclass(slots=True)
class Figures:
    """Sums under one key; `price` is in millicents."""

    count: int = 0
    unique: int = 0
    hourly: int = 0
    parts: int = 0
    price: float = 0.0


def record_id(event: Happened) -> bytes:
    """The id under which an event is stored; the same for every repeat of it (spec 3.1)."""
    app_id, client_id = event.application_id, event.client_id
    # Lengths keep ("ab", "c") and ("a", "bc") apart.
    text = f"{len(app_id)}:{app_id}{len(client_id)}:{client_id}{event.event_id}"
    return hashlib.blake2b(text.encode(), digest_size=_ID_BYTES).digest()


def mark_scope(app_id: str) -> bytes:
    """The first bytes of all marks of an application, so that they can be deleted as one range."""
    return hashlib.blake2b(app_id.encode(), digest_size=_SCOPE_BYTES).digest()


class Facts:
    """Makes facts; equal ones of events without a message are one and the same object."""

    def __init__(self) -> None:
        self._plain: dict[tuple[str, str, int], Fact] = {}

    def of(self, event: Happened, seconds: int) -> Fact:
        """The event as counting sees it; `seconds` is its time, epoch seconds."""
        name, campaign_id = event.event_type, event.attributes.get("campaign_id", "")
        if campaign_id or name.startswith(_ABOUT_MESSAGES):
            return _message_fact(event, campaign_id, seconds)
        short = (event.application_id, name, seconds // DAY_SECONDS)
        fact = self._plain.get(short)
        if fact is None:
            app_id, _, day = short
            fact = Fact(Key(app_id, "", "", "", name, "", "", "", day))
            self._plain[short] = fact
        return fact


_ABOUT_MESSAGES: Final = ("_email.", "_SMS.")


def _message_fact(event: Happened, campaign_id: str, seconds: int) -> Fact:
    key = _message_key(event, campaign_id, seconds // DAY_SECONDS)
    single = _is_single(event)
    marks = (b"", b"") if single else _marks(event, key, seconds)
    if not key.event_type.startswith("_SMS."):
        return Fact(key, single, *marks)
    price = event.metrics.get("price_in_millicents_usd", 0.0)
    return Fact(key, single, *marks, _parts(event.attributes), price)


def _is_single(event: Happened) -> bool:
    # An endpoint gets one message in an activity, and the message has one event of each outcome.
    return event.event_type in OUTCOMES and bool(event.attributes.get("message_id"))


def _message_key(event: Happened, campaign_id: str, day: int) -> Key:
    name, attributes = event.event_type, event.attributes
    sms = name.startswith("_SMS.")
    status = attributes.get("record_status", "") if sms else attributes.get(_SEND_STATUS, "")
    return Key(
        event.application_id,
        campaign_id,
        attributes.get("campaign_activity_id", ""),
        attributes.get("treatment_id", ""),
        name,
        "SMS" if sms else attributes.get("delivery_type", ""),
        status,
        attributes.get("iso_country_code", "") if sms else "",
        day,
    )


_SEND_STATUS: Final = "campaign_send_status"


def _parts(attributes: Mapping[str, str]) -> int:
    text = attributes.get("number_of_message_parts", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 1


def _marks(event: Happened, key: Key, seconds: int) -> tuple[bytes, bytes]:
    name, attributes = event.event_type, event.attributes
    hourly = name in _HOURLY
    message_id = attributes.get("message_id", "")
    # A direct message has no activity; it is one of its own.
    activity = key.activity_id or key.campaign_id
    unique = hour = b""
    if activity:
        unique = _mark(key.app_id, "unique", name, activity, event.client_id)
    elif hourly and message_id:
        unique = _mark(key.app_id, "unique", name, message_id, "")
    if hourly:
        link = f"{attributes.get('feedback', '')} {seconds // _HOUR_SECONDS}"
        hour = _mark(key.app_id, "hour", name, message_id or activity + event.client_id, link)
    return unique, hour


def _mark(app_id: str, kind: str, name: str, scope: str, thing: str) -> bytes:
    text = f"{kind} {name} {len(scope)}:{scope}{thing}"
    return mark_scope(app_id) + hashlib.blake2b(text.encode(), digest_size=12).digest()


def marks_of(facts: Iterable[Fact]) -> set[bytes]:
    """Every mark the facts carry."""
    return {m for f in facts for m in (f.unique_mark, f.hourly_mark) if m}


def tally(facts: Iterable[Fact], new_marks: Collection[bytes]) -> dict[Key, Figures]:
    """Sums of a batch by key. A mark of `new_marks` counts once, any other not at all."""
    left = set(new_marks)
    sums: dict[Key, Figures] = {}
    for fact in facts:
        figures = sums.get(fact.key)
        if figures is None:
            figures = sums[fact.key] = Figures()
        figures.count += 1
        figures.parts += fact.parts
        figures.price += fact.price
        if fact.single:
            figures.unique += 1
            continue
        if fact.unique_mark in left:
            left.discard(fact.unique_mark)
            figures.unique += 1
        if fact.hourly_mark in left:
            left.discard(fact.hourly_mark)
            figures.hourly += 1
    return sums
