"""Which definitions are well formed; every bad field is named with its path (spec 4.2 to 4.4)."""

import math
from collections.abc import Mapping
from typing import Final

from libs.errors import Violations
from libs.labels import check_tags
from services.segmentation.domain.criteria import check_attribute, check_fact
from services.segmentation.domain.dates import Moment
from services.segmentation.domain.segment import (
    RECENCY_DAYS,
    Dimensions,
    GPSPoint,
    Groups,
    MetricDimension,
    Recency,
    Reference,
    Segment,
    dimension_sets,
    sources,
)

MOST_GROUPS: Final = 5
MOST_DIMENSIONS: Final = 100
MOST_VALUES: Final = 100
MOST_SOURCES: Final = 1000  # ours: "any number" still has to fit into one question
LONGEST_NAME: Final = 128
_LONGEST_ATTRIBUTE: Final = 100
FARTHEST_KM: Final = 20_037.0  # half the way round
COMBINATIONS: Final = frozenset({"ALL", "ANY", "NONE"})
_COMPARISONS: Final = frozenset(
    {"EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"}
)


def check_naming(found: Violations, segment: Segment, at: str) -> None:
    """Note a bad name and bad tags (spec 1.7)."""
    fine = len(segment.name.strip()) >= 1 and len(segment.name) <= LONGEST_NAME
    found.check(fine, f"{at}.name", f"must have 1 to {LONGEST_NAME} characters")
    check_tags(found, f"{at}.tags", segment.tags)


def check_criteria(found: Violations, segment: Segment, moment: Moment, at: str) -> None:
    """Note everything that is wrong with criteria and groups, apart from the base segments."""
    both = segment.dimensions is not None and segment.groups is not None
    found.check(not both, at, "holds either dimensions or segment_groups, never both")
    if segment.groups is not None:
        _check_groups(found, segment.groups, f"{at}.segment_groups")
    _check_amounts(found, segment, at)
    for path, dimensions in dimension_sets(segment):
        _check_dimensions(found, dimensions, moment, f"{at}.{path}")


def check_sources(
    found: Violations, segment: Segment, known: Mapping[Reference, Segment], at: str
) -> None:
    """Note base segments that do not exist, or do not go together."""
    for path, reference in sources(segment):
        found.check(reference.version >= 0, f"{at}.{path}.version", "must be 0 or more")
        told = "there is no such segment or version"
        found.check(reference in known, f"{at}.{path}.segment_id", told)
    for number, group in enumerate(segment.groups.groups if segment.groups else ()):
        imported = [r for r in group.sources if r in known and known[r].imported]
        path = f"{at}.segment_groups.groups[{number}].source_segments"
        fine = not imported or len(group.sources) == 1
        found.check(fine, path, "either dimensional segments or exactly one imported segment")
        if number == 0 and imported and segment.groups and len(segment.groups.groups) > 1:
            told = "a first group based on an imported segment stands alone"
            found.add(f"{at}.segment_groups.groups", told)


def _check_groups(found: Violations, groups: Groups, at: str) -> None:
    found.check(groups.include in COMBINATIONS, f"{at}.include", "is not known")
    few = 1 <= len(groups.groups) <= MOST_GROUPS
    found.check(few, f"{at}.groups", f"1 to {MOST_GROUPS} groups")
    for number, group in enumerate(groups.groups):
        path = f"{at}.groups[{number}]"
        found.check(group.kind in COMBINATIONS, f"{path}.type", "is not known")
        found.check(group.source_kind in COMBINATIONS, f"{path}.source_type", "is not known")


def _check_amounts(found: Violations, segment: Segment, at: str) -> None:
    told = f"no more than {MOST_DIMENSIONS} dimensions in a segment"
    sets = [dimensions for _, dimensions in dimension_sets(segment)]
    found.check(sum(map(_criteria, sets)) <= MOST_DIMENSIONS, at, told)
    told = f"no more than {MOST_VALUES} values in a segment"
    found.check(sum(map(_values, sets)) <= MOST_VALUES, at, told)
    few = sum(1 for _ in sources(segment)) <= MOST_SOURCES
    found.check(few, f"{at}.segment_groups", f"no more than {MOST_SOURCES} base segments")


def _criteria(dimensions: Dimensions) -> int:
    single = (dimensions.country, dimensions.gps_point, dimensions.recency)
    attributes = len(dimensions.attributes) + len(dimensions.user_attributes)
    named = attributes + len(dimensions.metrics) + len(dimensions.demographic)
    return named + sum(one is not None for one in single)


def _values(dimensions: Dimensions) -> int:
    attributes = (*dimensions.attributes.values(), *dimensions.user_attributes.values())
    country = (dimensions.country,) if dimensions.country else ()
    facts = (*dimensions.demographic.values(), *country)
    return sum(len(one.values) for one in attributes) + sum(len(one.values) for one in facts)


def _check_dimensions(found: Violations, given: Dimensions, moment: Moment, at: str) -> None:
    for kind in ("attributes", "user_attributes"):
        for name, attribute in getattr(given, kind).items():
            _check_name(found, f"{at}.{kind}", name)
            check_attribute(found, attribute, moment, f"{at}.{kind}[{name[:30]}]")
    for name, metric in given.metrics.items():
        _check_name(found, f"{at}.metrics", name)
        _check_metric(found, metric, f"{at}.metrics[{name[:30]}]")
    for fact, test in given.demographic.items():
        check_fact(found, fact, test, f"{at}.demographic.{fact}")
    if given.country is not None:
        check_fact(found, "country", given.country, f"{at}.location.country")
    if given.gps_point is not None:
        _check_point(found, given.gps_point, f"{at}.location.gps_point")
    if given.recency is not None:
        _check_recency(found, given.recency, f"{at}.behavior.recency")


def _check_name(found: Violations, at: str, name: str) -> None:
    fine = 1 <= len(name) <= _LONGEST_ATTRIBUTE and "\0" not in name
    found.check(fine, f"{at}[{name[:30]}]", f"a name has 1 to {_LONGEST_ATTRIBUTE} characters")


def _check_metric(found: Violations, metric: MetricDimension, at: str) -> None:
    found.check(metric.operator in _COMPARISONS, f"{at}.comparison_operator", "is missing")
    found.check(math.isfinite(metric.value), f"{at}.value", "must be a finite number")


def _check_point(found: Violations, point: GPSPoint, at: str) -> None:
    # Written so that NaN, which compares with nothing, is refused.
    found.check(-90 <= point.latitude <= 90, f"{at}.latitude", "must be -90 to 90")
    found.check(-180 <= point.longitude <= 180, f"{at}.longitude", "must be -180 to 180")
    fine = 0 < point.range_km <= FARTHEST_KM
    found.check(fine, f"{at}.range_in_kilometers", f"must be above 0, to {FARTHEST_KM:g}")


def _check_recency(found: Violations, recency: Recency, at: str) -> None:
    told = "must be HR_24, DAY_7, DAY_14 or DAY_30"
    found.check(recency.duration in RECENCY_DAYS, f"{at}.duration", told)
    fine = recency.kind in {"ACTIVE", "INACTIVE"}
    found.check(fine, f"{at}.recency_type", "must be ACTIVE or INACTIVE")
