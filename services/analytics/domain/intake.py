"""What an event must look like to be taken in (spec 3.1); every check returns what is wrong."""

from collections.abc import Mapping
from math import isfinite
from typing import Final, Protocol

from services.analytics.domain.names import is_reserved

MOST_EVENTS: Final = 100
MOST_REQUEST_BYTES: Final = 4 * 1024 * 1024
MOST_EVENT_BYTES: Final = 1000 * 1024
MOST_KEYS: Final = 40
LONGEST_KEY: Final = 50
LONGEST_VALUE: Final = 200
LONGEST_ID: Final = 100
# Figures go back 90 days (spec 10.7); an older event would be deleted as soon as it is stored.
OLDEST_SECONDS: Final = 90 * 86_400
# A clock that is further ahead would put its events into days that have not begun anywhere.
AHEAD_SECONDS: Final = 86_400
_BANNED_IN_ID: Final = frozenset("${}")


class Described(Protocol):
    """What the checks look at, whatever carries it."""

    @property
    def event_type(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...


def client_fault(endpoint_id: str) -> str:
    """What is wrong with an endpoint id (spec 2.2); empty when nothing is."""
    if not 1 <= len(endpoint_id) <= LONGEST_ID:
        return f"endpoint id: must have 1 to {LONGEST_ID} characters"
    if not _BANNED_IN_ID.isdisjoint(endpoint_id):
        return "endpoint id: must not contain $ { }"
    return ""


def event_fault(event_id: str, event: Described, age_seconds: int) -> str:
    """What is wrong with an event; empty when nothing is.

    `age_seconds` lies between the event's own time and its arrival; negative is the future.
    """
    name = event.event_type
    if not 1 <= len(event_id) <= LONGEST_ID:
        return f"event id: must have 1 to {LONGEST_ID} characters"
    if not 1 <= len(name) <= LONGEST_KEY:
        return f"event_type: must have 1 to {LONGEST_KEY} characters"
    if is_reserved(name):
        return "event_type: an EventType starting with _ must be a standard event of clients"
    if age_seconds > OLDEST_SECONDS:
        return "event_time: must be given, and lie in the last 90 days"
    if age_seconds < -AHEAD_SECONDS:
        return "event_time: must not lie more than a day ahead"
    return _content_fault(event.attributes, event.metrics)


def _content_fault(attributes: Mapping[str, str], metrics: Mapping[str, float]) -> str:
    if len(attributes) + len(metrics) > MOST_KEYS:
        return f"attributes, metrics: no more than {MOST_KEYS} keys together"
    # Looked up by key: the items() of protobuf maps is several times slower.
    for key in attributes:
        if not 1 <= len(key) <= LONGEST_KEY:
            return f"attributes: a key must have 1 to {LONGEST_KEY} characters"
        if len(attributes[key]) > LONGEST_VALUE:
            return f"attributes: a value must have at most {LONGEST_VALUE} characters"
    for key in metrics:
        if not 1 <= len(key) <= LONGEST_KEY:
            return f"metrics: a key must have 1 to {LONGEST_KEY} characters"
        if not isfinite(metrics[key]):
            return "metrics: a value must be a finite number"
    return ""


def session_fault(session_id: str, *, started: bool, duration_milliseconds: int) -> str:
    """What is wrong with an event's session (spec 3.1: id and start are required)."""
    if not session_id:
        return "session.session_id: must be given"
    if not started:
        return "session.start_time: must be given"
    if duration_milliseconds < 0:
        return "session.duration_milliseconds: must not be negative"
    return ""
