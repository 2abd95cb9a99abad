"""What a compiled filter means, written from the comments of endpoint_filter.proto."""

from datetime import datetime
from math import acos, cos, radians, sin

from services.segmentation.domain import filters
from services.segmentation.domain.filters import Filter
from tests.support.segment_meaning import HELD_DATES, PUSH, VERSIONS, Person, combine

_FACTS = {
    "APP_VERSION": "app_version",
    "MAKE": "make",
    "MODEL": "model",
    "PLATFORM": "platform",
}


def admits(node: Filter, person: Person) -> bool:
    """Whether the filter admits the person."""
    match node:
        case filters.Group():
            return combine(node.kind, [admits(part, person) for part in node.filters])
        case filters.Text():
            return _text(node, _held(node.field, node.name, person))
        case filters.Version():
            ranks = [VERSIONS.get(v) for v in _held(node.field, node.name, person)]
            asked = VERSIONS[node.version]
            return any(_compare(node.comparison, r, asked) for r in ranks if r is not None)
        case filters.Instant():
            dates = [HELD_DATES.get(v) for v in _held(node.field, node.name, person)]
            return any(_within(node, moment) for moment in dates if moment)
        case _:
            return _admits_fact(node, person)


def _admits_fact(node: Filter, person: Person) -> bool:
    match node:
        case filters.Number():
            held = person.metrics.get(node.name)
            return held is not None and _compare(node.comparison, held, node.value)
        case filters.Activity():
            return (person.last_activity >= node.since) is node.active
        case filters.Imported():
            return node.segment_id in person.imports
        case filters.Channel():
            meant = set(node.channel_types)
            meant |= PUSH if "PUSH" in meant else set()
            return (person.channel in meant) is node.included
        case filters.Distance():
            return person.point is not None and _away(node, person.point) <= node.range_km
    raise AssertionError(node)


def _held(field: str, name: str, person: Person) -> tuple[str, ...]:
    if field == "ATTRIBUTE":
        return person.attributes.get(name, ())
    if field == "USER_ATTRIBUTE":
        return person.user_attributes.get(name, ())
    value = person.country if field == "COUNTRY" else person.facts.get(_FACTS[field], "")
    return (value,) if value else ()


def _text(node: filters.Text, held: tuple[str, ...]) -> bool:
    if node.operator == "CONTAINS":
        return any(value in one for one in held for value in node.values)
    shared = any(one in node.values for one in held)
    return shared if node.operator == "IN" else not shared


def _compare(comparison: str, held: float, asked: float) -> bool:
    return {
        "EQUAL": held == asked,
        "GREATER_THAN": held > asked,
        "GREATER_THAN_OR_EQUAL": held >= asked,
        "LESS_THAN": held < asked,
        "LESS_THAN_OR_EQUAL": held <= asked,
    }[comparison]


def _within(node: filters.Instant, moment: datetime) -> bool:
    late = node.start is None or moment > node.start
    late = late or (node.start_inclusive and moment == node.start)
    early = node.end is None or moment < node.end
    return late and (early or (node.end_inclusive and moment == node.end))


def _away(node: filters.Distance, point: tuple[float, float]) -> float:
    here, there = radians(point[0]), radians(node.latitude)
    east = radians(point[1] - node.longitude)
    turn = sin(here) * sin(there) + cos(here) * cos(there) * cos(east)
    return 6378.1 * acos(min(1.0, turn))
