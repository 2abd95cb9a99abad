"""A segment as one filter over endpoints, by the meaning of spec 4.3 and 4.4."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from services.segmentation.domain import filters, wording
from services.segmentation.domain.criteria import VERSIONS
from services.segmentation.domain.dates import DATE_OPERATORS, Moment, day_of, instant_of
from services.segmentation.domain.filters import EVERYBODY, Filter
from services.segmentation.domain.segment import (
    RECENCY_DAYS,
    AttributeDimension,
    Dimensions,
    Group,
    Groups,
    Reference,
    Segment,
    SetDimension,
)

Library = Mapping[Reference, Segment]
_TEXTS: Final = {"INCLUSIVE": "IN", "EXCLUSIVE": "NOT_IN", "CONTAINS": "CONTAINS"}
_FIELDS: Final = {
    "app_version": "APP_VERSION",
    "device_type": "PLATFORM",  # Pinpoint's DeviceType has no field of its own on an endpoint
    "make": "MAKE",
    "model": "MODEL",
    "platform": "PLATFORM",
    "country": "COUNTRY",
}
_OWNERS: Final = {"ATTRIBUTE": "Attributes", "USER_ATTRIBUTE": "UserAttributes"}


def compiled(segment: Segment, library: Library, moment: Moment) -> Filter:
    """The filter that admits the segment's members, as it is written, not simplified.

    `library` holds the segment of every reference below this one; they are free of circles.
    Branches of a segment that is used several times are shared.
    """
    return _Compilation(library, moment).segment(segment)


@dataclass(frozen=True, slots=True)
class _Compilation:
    library: Library
    moment: Moment
    done: dict[Reference, Filter] = field(default_factory=dict)

    def segment(self, segment: Segment) -> Filter:
        if segment.imported:
            return filters.Imported(segment.segment_id, wording.segment_words(segment, "ALL"))
        if segment.groups is not None:
            return self.groups(segment, segment.groups)
        criteria = dimensions(segment.dimensions or Dimensions(), self.moment)
        return filters.Group("ALL", criteria, wording.segment_words(segment, "ALL"))

    def groups(self, segment: Segment, groups: Groups) -> Filter:
        parts = tuple(self.group(n, group) for n, group in enumerate(groups.groups, start=1))
        label = wording.segment_words(segment, groups.include)
        return filters.Group(groups.include, parts, label)

    def group(self, number: int, group: Group) -> Filter:
        sets = tuple(
            filters.Group("ALL", dimensions(one, self.moment), f"criteria {position}")
            for position, one in enumerate(group.dimensions, start=1)
        )
        bases = tuple(map(self.source, group.sources))
        return filters.Group(
            "ALL",
            (
                _combined(group.source_kind, bases, number, "base segments"),
                _combined(group.kind, sets, number, "sets of criteria"),
            ),
            f"group {number}: base segments and criteria",
        )

    def source(self, reference: Reference) -> Filter:
        if reference not in self.done:
            self.done[reference] = self.segment(self.library[reference])
        return self.done[reference]


def _combined(kind: str, parts: tuple[Filter, ...], number: int, what: str) -> Filter:
    # Nothing to combine is everybody, whatever the combination: spec 4.4.
    if not parts:
        return EVERYBODY
    return filters.Group(kind, parts, wording.part_words(number, what, kind))


def dimensions(given: Dimensions, moment: Moment) -> tuple[Filter, ...]:
    """One filter a criterion."""
    attributes = (
        attribute(owner, name, one, moment)
        for owner, criteria in (
            ("ATTRIBUTE", given.attributes),
            ("USER_ATTRIBUTE", given.user_attributes),
        )
        for name, one in sorted(criteria.items())
    )
    metrics = (
        filters.Number(
            name, one.operator, one.value, wording.metric_words(name, one.operator, one.value)
        )
        for name, one in sorted(given.metrics.items())
    )
    facts = (fact(name, one) for name, one in given.demographic.items())
    return (*attributes, *metrics, *facts, *_place(given), *_behaviour(given, moment))


def _place(given: Dimensions) -> Sequence[Filter]:
    found: list[Filter] = []
    if given.country is not None:
        found.append(fact("country", given.country))
    if (point := given.gps_point) is not None:
        at = (point.latitude, point.longitude, point.range_km)
        found.append(filters.Distance(*at, wording.point_words(point)))
    return found


def _behaviour(given: Dimensions, moment: Moment) -> Sequence[Filter]:
    recency = given.recency
    if recency is None:
        return ()
    since = moment.now - timedelta(days=RECENCY_DAYS[recency.duration])
    active = recency.kind == "ACTIVE"
    return (filters.Activity(active, since, wording.recency_words(recency)),)


def fact(name: str, given: SetDimension) -> Filter:
    """The filter of one fact about the device or place."""
    label = wording.fact_words(name, given)
    if name == "channel":
        return filters.Channel(given.operator == "INCLUSIVE", given.values, label)
    if given.operator in VERSIONS:
        comparison = VERSIONS[given.operator]
        return filters.Version(_FIELDS[name], "", comparison, given.values[0], label)
    return filters.Text(_FIELDS[name], "", _TEXTS[given.operator], given.values, label)


def attribute(owner: str, name: str, given: AttributeDimension, moment: Moment) -> Filter:
    """The filter of one attribute; `owner` is ATTRIBUTE or USER_ATTRIBUTE."""
    label = wording.attribute_words(_OWNERS[owner], name, given, moment)
    if given.operator in VERSIONS:
        comparison = VERSIONS[given.operator]
        return filters.Version(owner, name, comparison, given.values[0], label)
    if given.operator in DATE_OPERATORS:
        return filters.labelled(_dated(owner, name, given, moment), label)
    return filters.Text(owner, name, _TEXTS[given.operator], given.values, label)


def _dated(owner: str, name: str, given: AttributeDimension, moment: Moment) -> Filter:
    instants = [one for value in given.values if (one := instant_of(value, moment))]
    blank = filters.Instant(owner, name)
    match given.operator:
        case "BEFORE":  # earlier than one of them is earlier than the last of them
            return replace(blank, end=max(instants))
        case "AFTER":
            return replace(blank, start=min(instants))
        case "BETWEEN":
            first, last = instants
            return replace(blank, start=first, end=last, start_inclusive=True, end_inclusive=True)
        case _:
            days = [day for value in given.values if (day := day_of(value, moment))]
            return filters.Group("ANY", tuple(_on(blank, day) for day in days))


def _on(blank: filters.Instant, day: date) -> Filter:
    start = datetime.combine(day, time(), UTC)
    # The last day of the calendar has no day after it; its end is open.
    end = start + timedelta(days=1) if day < date.max else None
    return replace(blank, start=start, end=end, start_inclusive=True, label=f"on {day}")
