"""Requests as domain values; what is not set takes the default of spec 4.3 and 4.4."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from touchpoint.segmentation.v1 import segment_pb2 as pb

from libs.errors import Violations
from services.segmentation.domain.segment import (
    AttributeDimension,
    Dimensions,
    GPSPoint,
    Group,
    Groups,
    MetricDimension,
    Recency,
    Reference,
    Segment,
    SetDimension,
)

_DEMOGRAPHIC: Final = ("app_version", "channel", "device_type", "make", "model", "platform")


def segment_from_proto(given: pb.Segment, app_id: str, now: datetime) -> Segment:
    """What an author wrote, as a segment that is not stored yet."""
    return Segment(
        application_id=app_id,
        segment_id="",
        name=given.name.strip(),
        version=0,
        creation_date=now,
        last_modified_date=now,
        dimensions=_dimensions(given.dimensions) if given.HasField("dimensions") else None,
        groups=_groups(given.segment_groups) if given.HasField("segment_groups") else None,
        tags=dict(given.tags),
    )


def reference_from_proto(given: pb.SegmentReference) -> Reference:
    """A reference to a segment."""
    return Reference(given.segment_id, given.version)


def target_from_proto(given: pb.SegmentReference) -> Reference:
    """The segment a call is about. Raises InvalidFields when none is named."""
    found = Violations()
    found.check(given.segment_id, "reference.segment_id", "is missing")
    found.check(given.version >= 0, "reference.version", "must be 0 or more")
    found.raise_if_any()
    return reference_from_proto(given)


def _groups(given: pb.SegmentGroupList) -> Groups:
    return Groups(_combination(given.include), tuple(map(_group, given.groups)))


def _group(given: pb.SegmentGroup) -> Group:
    return Group(
        _combination(given.type),
        _combination(given.source_type),
        tuple(map(_dimensions, given.dimensions)),
        tuple(map(reference_from_proto, given.source_segments)),
    )


def _dimensions(given: pb.SegmentDimensions) -> Dimensions:
    location, behavior = given.location, given.behavior
    return Dimensions(
        attributes={name: _attribute(one) for name, one in given.attributes.items()},
        user_attributes={name: _attribute(one) for name, one in given.user_attributes.items()},
        metrics={name: _metric(one) for name, one in given.metrics.items()},
        demographic=_demographic(given.demographic),
        country=_set(location.country) if location.HasField("country") else None,
        gps_point=_point(location.gps_point) if location.HasField("gps_point") else None,
        recency=_recency(behavior.recency) if behavior.HasField("recency") else None,
    )


def _demographic(given: pb.SegmentDemographics) -> Mapping[str, SetDimension]:
    return {name: _set(getattr(given, name)) for name in _DEMOGRAPHIC if given.HasField(name)}


def _attribute(given: pb.AttributeDimension) -> AttributeDimension:
    kind = pb.AttributeDimension.AttributeType
    operator = _name(kind, given.attribute_type, "ATTRIBUTE_TYPE_", "INCLUSIVE")
    return AttributeDimension(operator, tuple(given.values))


def _set(given: pb.SetDimension) -> SetDimension:
    kind = pb.SetDimension.DimensionType
    operator = _name(kind, given.dimension_type, "DIMENSION_TYPE_", "INCLUSIVE")
    return SetDimension(operator, tuple(given.values))


def _metric(given: pb.MetricDimension) -> MetricDimension:
    kind = pb.MetricDimension.ComparisonOperator
    operator = _name(kind, given.comparison_operator, "COMPARISON_OPERATOR_")
    return MetricDimension(operator, given.value)


def _point(given: pb.GPSPointDimension) -> GPSPoint:
    return GPSPoint(given.latitude, given.longitude, given.range_in_kilometers)


def _recency(given: pb.RecencyDimension) -> Recency:
    dimension = pb.RecencyDimension
    return Recency(
        _name(dimension.Duration, given.duration, "DURATION_"),
        _name(dimension.RecencyType, given.recency_type, "RECENCY_TYPE_"),
    )


def _combination(value: int) -> str:
    return _name(pb.Combination, value, "COMBINATION_", "ALL")


def _name(enum: Any, value: int, prefix: str, default: str = "") -> str:  # noqa: ANN401 - generated
    """The name without prefix; the default when unset; for a value not known its number."""
    known = enum.DESCRIPTOR.values_by_number.get(value)
    if known is None:
        return str(value)
    return known.name.removeprefix(prefix) if value else default
