"""What a segment means, written from spec 4.3 and 4.4 alone, and people and segments at random.

Nothing here uses the service's own compilation: the dates and versions that occur are tables made
by hand.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import acos, cos, radians, sin
from random import Random
from typing import Any, TypeVar

from services.segmentation.domain.segment import (
    AttributeDimension,
    Dimensions,
    GPSPoint,
    Group,
    Groups,
    ImportFacts,
    MetricDimension,
    Recency,
    Reference,
    Segment,
    SetDimension,
)

T = TypeVar("T")
NOW = datetime(2026, 5, 7, 9, 30, tzinfo=UTC)
APP = "a" * 32
PUSH = {"PUSH", "GCM", "APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "ADM", "BAIDU"}
CHANNELS = ["EMAIL", "SMS", "GCM", "APNS", "CUSTOM"]
SPANS = {"HR_24": 24, "DAY_7": 168, "DAY_14": 336, "DAY_30": 720}

# What people have in date attributes; the last two are no instants.
HELD_DATES: dict[str, datetime | None] = {
    "2026-02-06": datetime(2026, 2, 6, tzinfo=UTC),
    "2026-02-06T09:30:00Z": NOW - timedelta(days=90),
    "2026-05-06T23:59:59.999Z": datetime(2026, 5, 6, 23, 59, 59, 999000, tzinfo=UTC),
    "2026-05-07": datetime(2026, 5, 7, tzinfo=UTC),
    "2026-05-07T09:30:00Z": NOW,
    "2026-05-07T22:00:00Z": datetime(2026, 5, 7, 22, tzinfo=UTC),
    "2026-05-14T09:30:00Z": NOW + timedelta(days=7),
    "1969-12-31T23:00:00Z": datetime(1969, 12, 31, 23, tzinfo=UTC),
    "yesterday": None,
    "2026-13-01": None,
}
# What criteria may ask for.
ASKED_DATES: dict[str, datetime] = {
    "now": NOW,
    "now-90d": NOW - timedelta(days=90),
    "now+7d": NOW + timedelta(days=7),
    "now-12h": NOW - timedelta(hours=12),
    "now-30m": NOW - timedelta(minutes=30),
    "today": datetime(2026, 5, 7, tzinfo=UTC),
    "2026-02-06": datetime(2026, 2, 6, tzinfo=UTC),
    "2026-05-07T00:00:00Z": datetime(2026, 5, 7, tzinfo=UTC),
    "2026-05-07T00:30:00+02:00": datetime(2026, 5, 6, 22, 30, tzinfo=UTC),
}
# Versions from low to high; those in one row are equal.
RANKS = [["1.9"], ["2.0-alpha"], ["2.0-rc1"], ["2", "2.0", "2.0.0"], ["2.0.1"], ["10.0"]]
VERSIONS = {text: rank for rank, row in enumerate(RANKS) for text in row}
WORDS = ["gold", "Gold", "New York", "Newcastle", "ew", "EW", "a.c", "abc"]
POINTS = [(52.5, 13.4), (52.5, 13.5), (-33.9, 151.2), (35.7, 139.7)]


@dataclass(frozen=True)
class Person:
    """One endpoint, as far as segments look at it."""

    name: str
    channel: str = "EMAIL"
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    user_attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    country: str = ""
    point: tuple[float, float] | None = None
    last_activity: datetime = NOW
    imports: frozenset[str] = frozenset()


def member(segment: Segment, person: Person, library: Mapping[Reference, Segment]) -> bool:
    """Whether the person is in the segment (4.4)."""
    if segment.imported:
        return segment.segment_id in person.imports
    if segment.groups is None:
        return _dimensions(segment.dimensions or Dimensions(), person)
    return combine(
        segment.groups.include,
        [_group(group, person, library) for group in segment.groups.groups],
    )


def combine(kind: str, answers: Iterable[bool]) -> bool:
    answers = list(answers)
    return {"ALL": all(answers), "ANY": any(answers), "NONE": not any(answers)}[kind]


def _group(group: Group, person: Person, library: Mapping[Reference, Segment]) -> bool:
    base = dims = True
    if group.sources:
        answers = [member(library[one], person, library) for one in group.sources]
        base = combine(group.source_kind, answers)
    if group.dimensions:
        dims = combine(group.kind, [_dimensions(one, person) for one in group.dimensions])
    return base and dims


def _dimensions(given: Dimensions, person: Person) -> bool:
    answers = [
        *(_attribute(one, person.attributes.get(n, ())) for n, one in given.attributes.items()),
        *(
            _attribute(one, person.user_attributes.get(n, ()))
            for n, one in given.user_attributes.items()
        ),
        *(_metric(one, person.metrics.get(n)) for n, one in given.metrics.items()),
        *(_fact(n, one, person) for n, one in given.demographic.items()),
    ]
    if given.country:
        answers.append(_set(given.country, [person.country] if person.country else []))
    if given.gps_point:
        answers.append(_near(given.gps_point, person.point))
    if given.recency:
        since = NOW - timedelta(hours=SPANS[given.recency.duration])
        active = person.last_activity >= since
        answers.append(active if given.recency.kind == "ACTIVE" else not active)
    return all(answers)


def _set(given: SetDimension | AttributeDimension, held: Iterable[str]) -> bool:
    shared = set(held) & set(given.values)
    return bool(shared) if given.operator == "INCLUSIVE" else not shared


def _fact(name: str, given: SetDimension, person: Person) -> bool:
    if name == "channel":
        wanted = set(given.values) | (PUSH if "PUSH" in given.values else set())
        return (person.channel in wanted) == (given.operator == "INCLUSIVE")
    value = person.facts.get("platform" if name == "device_type" else name)
    held = [value] if value else []
    if given.operator.startswith("VERSION_"):
        return _version(given.operator, given.values[0], held)
    return _set(given, held)


def _version(operator: str, asked: str, held: Iterable[str]) -> bool:
    compare: Mapping[str, Callable[[int, int], bool]] = {
        "VERSION_GT": lambda v, q: v > q,
        "VERSION_GTE": lambda v, q: v >= q,
        "VERSION_LT": lambda v, q: v < q,
        "VERSION_LTE": lambda v, q: v <= q,
        "VERSION_EQ": lambda v, q: v == q,
    }
    ranks = [VERSIONS[text] for text in held if text in VERSIONS]
    return any(compare[operator](rank, VERSIONS[asked]) for rank in ranks)


def _metric(given: MetricDimension, held: float | None) -> bool:
    if held is None:
        return False
    return {
        "EQUAL": held == given.value,
        "GREATER_THAN": held > given.value,
        "GREATER_THAN_OR_EQUAL": held >= given.value,
        "LESS_THAN": held < given.value,
        "LESS_THAN_OR_EQUAL": held <= given.value,
    }[given.operator]


def _attribute(given: AttributeDimension, held: tuple[str, ...]) -> bool:
    if given.operator.startswith("VERSION_"):
        return _version(given.operator, given.values[0], held)
    if given.operator == "CONTAINS":
        return any(asked in value for value in held for asked in given.values)
    if given.operator in {"INCLUSIVE", "EXCLUSIVE"}:
        return _set(given, held)
    dates = [found for value in held if (found := HELD_DATES.get(value))]
    asked_dates = [ASKED_DATES[value] for value in given.values]
    if given.operator == "BETWEEN":
        return any(asked_dates[0] <= v <= asked_dates[1] for v in dates)
    return any(
        {"BEFORE": v < q, "AFTER": v > q, "ON": v.date() == q.date()}[given.operator]
        for v in dates
        for q in asked_dates
    )


def _near(given: GPSPoint, point: tuple[float, float] | None) -> bool:
    if point is None:
        return False
    here, there = radians(point[0]), radians(given.latitude)
    east = radians(point[1] - given.longitude)
    angle = acos(min(1.0, sin(here) * sin(there) + cos(here) * cos(there) * cos(east)))
    return 6378.1 * angle <= given.range_km


def some(dice: Random, pool: Iterable[T], most: int, least: int = 0) -> list[T]:
    """Some of a pool, in any order."""
    pool = list(pool)
    return dice.sample(pool, dice.randint(least, min(most, len(pool))))


def random_person(dice: Random, name: str) -> Person:
    held = {
        "Tier": tuple(some(dice, WORDS, 3, 1)),
        "Due": tuple(some(dice, HELD_DATES, 3, 1)),
        "Firmware": tuple(some(dice, [*VERSIONS, "new"], 2, 1)),
    }
    facts = {
        "app_version": dice.choice([*VERSIONS, "new"]),
        "make": dice.choice(["Apple", "Acme"]),
        "model": dice.choice(["One", "Two"]),
        "platform": dice.choice(["iOS", "Android"]),
    }
    hours = dice.choice([0, 1, 23, 24, 25, 168, 169, 400, 720, 721, 2000])
    return Person(
        name=name,
        channel=dice.choice(CHANNELS),
        attributes=dict(some(dice, held.items(), 3)),
        user_attributes=dict(some(dice, held.items(), 3)),
        metrics=dict(some(dice, {"ltv": dice.choice([10000.0, 10000.01, -1.5, 0.0])}.items(), 1)),
        facts=dict(some(dice, facts.items(), 4)),
        country=dice.choice(["", "JP", "US", "DE"]),
        point=dice.choice([None, *POINTS]),
        last_activity=NOW - timedelta(hours=hours),
        imports=frozenset(some(dice, ["imported"], 1)),
    )


def random_dimensions(dice: Random) -> Dimensions:
    kinds = some(dice, range(7), 3)
    return Dimensions(
        attributes=_attributes(dice) if 0 in kinds else {},
        user_attributes=_attributes(dice) if 1 in kinds else {},
        metrics={"ltv": _random_metric(dice)} if 2 in kinds else {},
        demographic=_random_facts(dice) if 3 in kinds else {},
        country=_random_set(dice, ["JP", "US", "DE"]) if 4 in kinds else None,
        gps_point=GPSPoint(*dice.choice(POINTS), dice.choice([1, 10, 1000]))
        if 5 in kinds
        else None,
        recency=Recency(dice.choice(list(SPANS)), dice.choice(["ACTIVE", "INACTIVE"]))
        if 6 in kinds
        else None,
    )


def _random_metric(dice: Random) -> MetricDimension:
    comparison = dice.choice(
        ["EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"]
    )
    return MetricDimension(comparison, dice.choice([10000.0, 0.0, -1.5]))


def _random_set(dice: Random, pool: list[str]) -> SetDimension:
    return SetDimension(dice.choice(["INCLUSIVE", "EXCLUSIVE"]), tuple(some(dice, pool, 2, 1)))


def _random_version(dice: Random) -> tuple[str, tuple[str, ...]]:
    suffix = dice.choice(["GT", "GTE", "LT", "LTE", "EQ"])
    return f"VERSION_{suffix}", (dice.choice(list(VERSIONS)),)


def _random_facts(dice: Random) -> dict[str, SetDimension]:
    facts: dict[str, SetDimension] = {
        "app_version": SetDimension(*_random_version(dice))
        if dice.random() < 0.7
        else _random_set(dice, list(VERSIONS)),
        "channel": _random_set(dice, ["EMAIL", "SMS", "PUSH", "GCM"]),
        "device_type": _random_set(dice, ["iOS", "Android"]),
        "make": _random_set(dice, ["Apple", "Acme"]),
        "model": _random_set(dice, ["One", "Two"]),
        "platform": _random_set(dice, ["iOS", "Android"]),
    }
    return dict(some(dice, facts.items(), 2, 1))


def _attributes(dice: Random) -> dict[str, AttributeDimension]:
    words = AttributeDimension(
        dice.choice(["INCLUSIVE", "EXCLUSIVE", "CONTAINS"]), tuple(some(dice, WORDS, 2, 1))
    )
    dates: Any = AttributeDimension(
        dice.choice(["BEFORE", "AFTER", "ON"]), tuple(some(dice, ASKED_DATES, 2, 1))
    )
    if dice.random() < 0.3:
        pair = sorted(some(dice, ASKED_DATES, 2, 2), key=ASKED_DATES.__getitem__)
        dates = AttributeDimension("BETWEEN", tuple(pair))
    versions = AttributeDimension(*_random_version(dice))
    every = {"Tier": words, "Due": dates, "Firmware": versions}
    return dict(some(dice, every.items(), 2, 1))


def random_library(dice: Random) -> dict[Reference, Segment]:
    """An imported segment and three others, each building on those before it."""
    library: dict[Reference, Segment] = {Reference("imported"): _segment("imported", imported=True)}
    for number in range(3):
        built = random_segment(dice, f"s{number}", list(library))
        library[Reference(built.segment_id)] = built
    return library


def random_segment(dice: Random, segment_id: str, below: list[Reference]) -> Segment:
    if dice.random() < 0.2:
        return _segment(segment_id, dimensions=random_dimensions(dice))
    groups = tuple(_random_group(dice, below) for _ in range(dice.randint(1, 3)))
    return _segment(segment_id, groups=Groups(_random_kind(dice), groups))


def _random_group(dice: Random, below: list[Reference]) -> Group:
    dimensions = tuple(random_dimensions(dice) for _ in range(dice.randint(0, 2)))
    sources = tuple(some(dice, below, 2))
    return Group(_random_kind(dice), _random_kind(dice), dimensions, sources)


def _random_kind(dice: Random) -> str:
    return dice.choice(["ALL", "ANY", "NONE"])


def _segment(segment_id: str, *, imported: bool = False, **parts: Any) -> Segment:
    facts = ImportFacts(1, {}, "CSV", "", "job") if imported else None
    return Segment(APP, segment_id, segment_id, 1, NOW, NOW, imported=facts, **parts)
