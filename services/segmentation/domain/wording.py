"""Criteria in words, for people who ask why an endpoint is or is not a member."""

from collections.abc import Sequence
from typing import Final

from services.segmentation.domain.dates import DATE_OPERATORS, Moment, instant_of, is_relative
from services.segmentation.domain.segment import (
    AttributeDimension,
    GPSPoint,
    Recency,
    Segment,
    SetDimension,
)

_VERBS: Final = {
    "INCLUSIVE": "is one of",
    "EXCLUSIVE": "is none of",
    "CONTAINS": "contains one of",
    "BEFORE": "is before",
    "AFTER": "is after",
    "ON": "is on",
    "BETWEEN": "is between",
    "EQUAL": "=",
    "GREATER_THAN": ">",
    "GREATER_THAN_OR_EQUAL": ">=",
    "LESS_THAN": "<",
    "LESS_THAN_OR_EQUAL": "<=",
    "VERSION_GT": "> version",
    "VERSION_GTE": ">= version",
    "VERSION_LT": "< version",
    "VERSION_LTE": "<= version",
    "VERSION_EQ": "= version",
}
_FACTS: Final = {
    "app_version": "Demographic.AppVersion",
    "channel": "Demographic.Channel",
    "device_type": "Demographic.DeviceType",
    "make": "Demographic.Make",
    "model": "Demographic.Model",
    "platform": "Demographic.Platform",
    "country": "Location.Country",
}
_COMBINED: Final = {"ALL": "all of", "ANY": "any of", "NONE": "none of"}
_SPANS: Final = {
    "HR_24": "24 hours",
    "DAY_7": "7 days",
    "DAY_14": "14 days",
    "DAY_30": "30 days",
}


def attribute_words(owner: str, name: str, given: AttributeDimension, moment: Moment) -> str:
    """Such as `UserAttributes.Renewal is before now+7d (2026-05-08T00:00:00Z)`."""
    values: Sequence[str] = given.values
    if given.operator in DATE_OPERATORS:
        values = [_date_words(value, moment) for value in values]
    joint = " and " if given.operator == "BETWEEN" else " or "
    told = joint.join(values) if given.operator in DATE_OPERATORS else ", ".join(values)
    return f"{owner}.{name} {_VERBS[given.operator]} {told}"


def fact_words(fact: str, given: SetDimension) -> str:
    """Such as `Location.Country is one of JP, KR`."""
    return f"{_FACTS[fact]} {_VERBS[given.operator]} {', '.join(given.values)}"


def metric_words(name: str, operator: str, value: float) -> str:
    """Such as `Metrics.ltv > 5000`."""
    return f"Metrics.{name} {_VERBS[operator]} {value:.15g}"


def point_words(point: GPSPoint) -> str:
    """Such as `Location is within 5 km of 52.5, 13.4`."""
    return f"Location is within {point.range_km:g} km of {point.latitude:g}, {point.longitude:g}"


def recency_words(recency: Recency) -> str:
    """Such as `not active in the last 30 days`."""
    negation = "" if recency.kind == "ACTIVE" else "not "
    return f"{negation}active in the last {_SPANS[recency.duration]}"


def segment_words(segment: Segment, combination: str) -> str:
    """Such as `segment VIP (version 3): any of its groups`; imported ones have no groups."""
    if segment.imported:
        return f"imported segment {segment.name}"
    told = f"{_COMBINED[combination]} its {'groups' if segment.groups else 'criteria'}"
    return f"segment {segment.name} (version {segment.version}): {told}" if segment.name else told


def part_words(number: int, part: str, combination: str) -> str:
    """Such as `group 1: none of its base segments`."""
    return f"group {number}: {_COMBINED[combination]} its {part}"


def _date_words(value: str, moment: Moment) -> str:
    instant = instant_of(value, moment)
    if instant is None or not is_relative(value):
        return value
    return f"{value} ({instant.isoformat(timespec='seconds').replace('+00:00', 'Z')})"
