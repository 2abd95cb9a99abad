"""Segments, their criteria and groups as values (spec 4.1, 4.2, 4.4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

RECENCY_DAYS: Final[Mapping[str, int]] = {"HR_24": 1, "DAY_7": 7, "DAY_14": 14, "DAY_30": 30}


@dataclass(frozen=True, slots=True)
class AttributeDimension:
    """A test of an attribute; `operator` is INCLUSIVE, EXCLUSIVE, CONTAINS, BEFORE, AFTER, ON,
    BETWEEN or VERSION_*.
    """

    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetDimension:
    """A test of a fact; `operator` is INCLUSIVE, EXCLUSIVE or, for app versions, VERSION_*."""

    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MetricDimension:
    """A test of a number; `operator` is EQUAL, GREATER_THAN, LESS_THAN or one with _OR_EQUAL."""

    operator: str
    value: float


@dataclass(frozen=True, slots=True)
class GPSPoint:
    """A point in degrees and a range in kilometres around it."""

    latitude: float
    longitude: float
    range_km: float


@dataclass(frozen=True, slots=True)
class Recency:
    """Activity (`kind` ACTIVE) or its absence (INACTIVE) in HR_24, DAY_7, DAY_14 or DAY_30."""

    duration: str
    kind: str


@dataclass(frozen=True, slots=True)
class Dimensions:
    """Criteria, all of which must hold; without any, everybody is meant.

    `demographic` holds app_version, channel, device_type, make, model and platform.
    """

    attributes: Mapping[str, AttributeDimension] = field(default_factory=dict)
    user_attributes: Mapping[str, AttributeDimension] = field(default_factory=dict)
    metrics: Mapping[str, MetricDimension] = field(default_factory=dict)
    demographic: Mapping[str, SetDimension] = field(default_factory=dict)
    country: SetDimension | None = None
    gps_point: GPSPoint | None = None
    recency: Recency | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A segment used by another; version 0 is the latest one."""

    segment_id: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Criteria (`kind`: ALL, ANY or NONE of them) applied to base segments (`source_kind`)."""

    kind: str = "ALL"
    source_kind: str = "ALL"
    dimensions: tuple[Dimensions, ...] = ()
    sources: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups and how they combine: ALL, ANY or NONE."""

    include: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class ImportFacts:
    """What is known of the import a segment came from."""

    size: int
    channel_counts: Mapping[str, int]
    file_format: str
    source_url: str
    job_id: str


@dataclass(frozen=True, slots=True)
class Segment:
    """One version of a segment; with neither dimensions nor groups it means everybody.

    `imported` is set for imported ones, which have no criteria. A segment that is not stored yet
    has no id and version 0.
    """

    application_id: str
    segment_id: str
    name: str
    version: int
    creation_date: datetime
    last_modified_date: datetime
    dimensions: Dimensions | None = None
    groups: Groups | None = None
    imported: ImportFacts | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def dimension_sets(segment: Segment) -> Iterator[tuple[str, Dimensions]]:
    """All sets of criteria of a segment, each with its path inside the segment."""
    if segment.dimensions is not None:
        yield "dimensions", segment.dimensions
    for number, group in enumerate(segment.groups.groups if segment.groups else ()):
        for position, dimensions in enumerate(group.dimensions):
            yield f"segment_groups.groups[{number}].dimensions[{position}]", dimensions


def sources(segment: Segment) -> Iterator[tuple[str, Reference]]:
    """All base segments of a segment, each with its path inside the segment."""
    for number, group in enumerate(segment.groups.groups if segment.groups else ()):
        for position, reference in enumerate(group.sources):
            yield f"segment_groups.groups[{number}].source_segments[{position}]", reference
