"""Filters answered in memory for one endpoint, with the reasons (ExplainEndpoint)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import asin, cos, radians, sin, sqrt
from operator import eq, ge, gt, le, lt
from typing import Any, Final

from services.endpoints.domain.channels import meant
from services.endpoints.domain.endpoint import Stored
from services.endpoints.domain.filters import (
    EARTH_KM,
    Activity,
    Channel,
    Distance,
    Filter,
    Group,
    Imported,
    Instant,
    Number,
    Text,
    Version,
    nodes,
)
from services.endpoints.domain.instants import instant_of, to_millisecond
from services.endpoints.domain.versions import version_key

Comparer = Callable[[Any, Any], bool]
COMPARE: Final[dict[str, Comparer]] = {
    "EQUAL": eq,
    "GREATER_THAN": gt,
    "GREATER_THAN_OR_EQUAL": ge,
    "LESS_THAN": lt,
    "LESS_THAN_OR_EQUAL": le,
}
_DEMOGRAPHIC: Final = {
    "APP_VERSION": "app_version",
    "MAKE": "make",
    "MODEL": "model",
    "PLATFORM": "platform",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one node says of an endpoint: where it is, in words, whether it holds, what was seen."""

    path: str
    description: str
    holds: bool
    seen: str


def matches(stored: Stored, node: Filter) -> bool:
    """Whether the filter admits the endpoint (spec 4.3)."""
    match node:
        case Group():
            return _group(stored, node)
        case Text():
            return _text(values_of(stored, node.field, node.name), node)
        case Version():
            return _version(values_of(stored, node.field, node.name), node)
        case Instant():
            found = map(instant_of, values_of(stored, node.field, node.name))
            return any(moment is not None and _within(moment, node) for moment in found)
        case Number():
            value = stored.endpoint.metrics.get(node.name)
            return value is not None and COMPARE[node.comparison](value, node.value)
        case _:
            return _fact(stored, node)


def _group(stored: Stored, node: Group) -> bool:
    each: Iterator[bool] = (matches(stored, part) for part in node.filters)
    if node.kind == "ALL":
        return all(each)
    return any(each) if node.kind == "ANY" else not any(each)


def _fact(stored: Stored, node: Filter) -> bool:
    match node:
        case Distance():
            away = distance_km(stored, node)
            return away is not None and away <= node.range_km
        case Activity(active, since) if since is not None:
            return (stored.last_activity >= to_millisecond(since)) == active
        case Imported():
            return node.segment_id in stored.imports
        case Channel():
            return (stored.endpoint.channel_type in meant(node.channel_types)) == node.included
        case _:
            return False


def values_of(stored: Stored, field: str, name: str) -> Sequence[str]:
    """The texts an endpoint has in a field; none when it is absent."""
    endpoint = stored.endpoint
    if field == "ATTRIBUTE":
        return endpoint.attributes.get(name, ())
    if field == "USER_ATTRIBUTE":
        return endpoint.user_attributes.get(name, ())
    if field == "COUNTRY":
        value = endpoint.place.get("country", "")
    elif field == "USER_ID":
        value = endpoint.user_id
    else:
        value = endpoint.demographic.get(_DEMOGRAPHIC[field], "")
    return (value,) if value else ()


def _text(values: Sequence[str], node: Text) -> bool:
    if node.operator == "CONTAINS":
        return any(part in value for value in values for part in node.values)
    hit = not set(node.values).isdisjoint(values)
    return hit if node.operator == "IN" else not hit


def _version(values: Sequence[str], node: Version) -> bool:
    wanted, compare = version_key(node.version), COMPARE[node.comparison]
    keys = (version_key(value) for value in values)
    return any(key is not None and compare(key, wanted) for key in keys)


def _within(moment: datetime, node: Instant) -> bool:
    if node.start is not None:
        start = to_millisecond(node.start)
        if moment < start or (moment == start and not node.start_inclusive):
            return False
    if node.end is not None:
        end = to_millisecond(node.end)
        if moment > end or (moment == end and not node.end_inclusive):
            return False
    return True


def distance_km(stored: Stored, node: Distance) -> float | None:
    """Great-circle distance by the haversine formula; None without coordinates."""
    at = stored.endpoint.coordinates
    if len(at) < 2:
        return None
    here, there = radians(at["latitude"]), radians(node.latitude)
    east = radians(at["longitude"] - node.longitude)
    half = sin((here - there) / 2) ** 2 + cos(here) * cos(there) * sin(east / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))


def findings(stored: Stored, root: Filter) -> list[Finding]:
    """One finding a node, depth first."""
    return [
        Finding(path, described(node), matches(stored, node), _seen(stored, node))
        for path, _, node in nodes(root)
    ]


_LABELS: Final = {
    "APP_VERSION": "Demographic.AppVersion",
    "MAKE": "Demographic.Make",
    "MODEL": "Demographic.Model",
    "PLATFORM": "Demographic.Platform",
    "COUNTRY": "Location.Country",
    "USER_ID": "User.UserId",
    "ATTRIBUTE": "Attributes",
    "USER_ATTRIBUTE": "UserAttributes",
}
_WORDS: Final = {
    "ALL": "all of these hold",
    "ANY": "at least one of these holds",
    "NONE": "none of these holds",
    "IN": "is one of",
    "NOT_IN": "is none of",
    "CONTAINS": "contains",
    "EQUAL": "=",
    "GREATER_THAN": ">",
    "GREATER_THAN_OR_EQUAL": ">=",
    "LESS_THAN": "<",
    "LESS_THAN_OR_EQUAL": "<=",
}


def _label(field: str, name: str) -> str:
    return f"{_LABELS[field]}.{name}" if name else _LABELS[field]


def described(node: Filter) -> str:
    """A node in words, in the field's own names: `Location.Country is one of JP`."""
    match node:
        case Group():
            return _WORDS[node.kind]
        case Text():
            told = ", ".join(node.values)
            return f"{_label(node.field, node.name)} {_WORDS[node.operator]} {told}"
        case Version():
            return f"{_label(node.field, node.name)} {_WORDS[node.comparison]} {node.version}"
        case Instant():
            return f"{_label(node.field, node.name)} {_range(node)}"
        case Number():
            return f"Metrics.{node.name} {_WORDS[node.comparison]} {node.value:g}"
        case _:
            return _described_fact(node)


def _range(node: Instant) -> str:
    after, before = (
        "from" if node.start_inclusive else "after",
        "to" if node.end_inclusive else "before",
    )
    parts = []
    if node.start is not None:
        parts.append(f"{after} {node.start.isoformat()}")
    if node.end is not None:
        parts.append(f"{before} {node.end.isoformat()}")
    return f"is {' and '.join(parts)}" if parts else "is an instant"


def _described_fact(node: Filter) -> str:
    match node:
        case Distance():
            point = f"{node.latitude:g}, {node.longitude:g}"
            return f"Location is within {node.range_km:g} km of {point}"
        case Activity(active, since) if since is not None:
            return f"last activity {'at or after' if active else 'before'} {since.isoformat()}"
        case Imported():
            return f"is a member of imported segment {node.segment_id}"
        case Channel():
            verb = "is one of" if node.included else "is none of"
            return f"ChannelType {verb} {', '.join(node.channel_types)}"
        case _:
            return "unknown"


def _seen(stored: Stored, node: Filter) -> str:
    match node:
        case Text() | Version() | Instant():
            return ", ".join(values_of(stored, node.field, node.name)) or "nothing"
        case Number():
            value = stored.endpoint.metrics.get(node.name)
            return "nothing" if value is None else f"{value:g}"
        case Distance():
            away = distance_km(stored, node)
            return "no coordinates" if away is None else f"{away:.1f} km away"
        case Activity():
            return stored.last_activity.isoformat()
        case Imported():
            return "member" if node.segment_id in stored.imports else "no member"
        case Channel():
            return stored.endpoint.channel_type or "nothing"
        case _:
            return ""
