"""Definitions that are refused, with every bad field named by its path."""

from typing import Any

import pytest

from libs.errors import Violations
from services.segmentation.domain.dates import Moment, instant_of, needs_zone
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
from services.segmentation.domain.validation import check_criteria, check_naming, check_sources
from tests.support.segment_meaning import APP, NOW

MOMENT = Moment(NOW)


def segment(**parts: Any) -> Segment:
    return Segment(APP, "", parts.pop("name", "Sample"), 0, NOW, NOW, **parts)


def faults(**parts: Any) -> set[str]:
    found = Violations()
    check_criteria(found, segment(**parts), MOMENT, "segment")
    return {violation.field for violation in found.found}


def attribute_faults(operator: str, *values: str) -> set[str]:
    given = {"Tier": AttributeDimension(operator, values)}
    at = "segment.dimensions.attributes[Tier]"
    of_user = faults(dimensions=Dimensions(user_attributes=given))
    found = faults(dimensions=Dimensions(attributes=given))
    assert {f.replace("user_attributes", "attributes") for f in of_user} == found
    return {field.removeprefix(at) for field in found}


@pytest.mark.parametrize(
    ("operator", "values"),
    [
        ("INCLUSIVE", ["gold"]),
        ("EXCLUSIVE", ["gold", "silver"]),
        ("CONTAINS", ["a" * 100]),
        ("BEFORE", ["2026-05-07T10:00:00Z"]),
        ("BEFORE", ["2026-05-07T10:00:00+02:00", "2026-05-07"]),
        ("AFTER", ["now", "now-90d", "now+7d", "now-12h", "now-30m", "today"]),
        ("ON", ["2026-05-07T10:00:00.123456789Z"]),
        ("BETWEEN", ["now", "now+7d"]),
        ("BETWEEN", ["2026-05-07", "2026-05-07"]),
        ("BETWEEN", ["today", "now"]),
        ("VERSION_GTE", ["2.0"]),
        ("VERSION_EQ", ["2.0.0-rc.1+build.5"]),
    ],
)
def test_values_that_an_operator_takes(operator: str, values: list[str]) -> None:
    assert attribute_faults(operator, *values) == set()


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("LIKE", ["gold"], {".attribute_type"}),
        ("99", [], {".attribute_type", ".values"}),
        ("INCLUSIVE", [], {".values"}),
        ("INCLUSIVE", ["fine", "", "a" * 101, "nul\0"], {f".values[{n}]" for n in (1, 2, 3)}),
        (
            "BEFORE",
            ["soon", "2026-05-07T10:00:00", "2026-13-01"],
            {f".values[{n}]" for n in range(3)},
        ),
        (
            "ON",
            ["now-90", "now - 1d", "now+1w", "NOW", "20260507"],
            {f".values[{n}]" for n in range(5)},
        ),
        ("AFTER", ["9999-12-31T23:59:59-12:00", "0000-01-01"], {".values[0]", ".values[1]"}),
        ("BETWEEN", ["now"], {".values"}),
        ("BETWEEN", ["now", "now", "now"], {".values"}),
        ("BETWEEN", ["now+7d", "now"], {".values"}),
        ("BETWEEN", ["2026-05-08", "2026-05-07"], {".values"}),
        ("BETWEEN", ["2026-05-08", "x"], {".values[1]"}),
        ("VERSION_GT", ["2.0", "3.0"], {".values"}),
        ("VERSION_GT", ["v2.0"], {".values[0]"}),
        ("VERSION_LT", ["2..0"], {".values[0]"}),
        ("VERSION_LT", ["2.0-"], {".values[0]"}),
    ],
)
def test_values_that_an_operator_does_not_take(
    operator: str, values: list[str], expected: set[str]
) -> None:
    assert attribute_faults(operator, *values) == expected


@pytest.mark.parametrize(
    ("fact", "operator", "values", "expected"),
    [
        ("app_version", "VERSION_GTE", ["2.0"], set()),
        ("app_version", "VERSION_GTE", ["2.0", "3"], {".values"}),
        ("app_version", "VERSION_GTE", ["two"], {".values[0]"}),
        ("platform", "VERSION_GTE", ["2.0"], {".dimension_type"}),
        ("make", "CONTAINS", ["Ac"], {".dimension_type"}),
        ("model", "INCLUSIVE", [], {".values"}),
        ("channel", "INCLUSIVE", ["EMAIL", "PUSH"], set()),
        ("channel", "EXCLUSIVE", ["EMAIL", "email", "FAX"], {".values[1]", ".values[2]"}),
    ],
)
def test_facts(fact: str, operator: str, values: list[str], expected: set[str]) -> None:
    dimensions = Dimensions(demographic={fact: SetDimension(operator, tuple(values))})
    at = f"segment.dimensions.demographic.{fact}"
    assert faults(dimensions=dimensions) == {at + field for field in expected}


@pytest.mark.parametrize(
    ("dimensions", "expected"),
    [
        (Dimensions(metrics={"ltv": MetricDimension("", 1)}), {"metrics[ltv].comparison_operator"}),
        (
            Dimensions(metrics={"ltv": MetricDimension("EQUAL", float("nan"))}),
            {"metrics[ltv].value"},
        ),
        (Dimensions(metrics={"": MetricDimension("EQUAL", 1)}), {"metrics[]"}),
        (
            Dimensions(country=SetDimension("VERSION_EQ", ("1",))),
            {"location.country.dimension_type"},
        ),
        (
            Dimensions(gps_point=GPSPoint(90.1, -181, 0)),
            {f"location.gps_point.{f}" for f in ("latitude", "longitude", "range_in_kilometers")},
        ),
        (
            Dimensions(gps_point=GPSPoint(float("nan"), 0, float("inf"))),
            {f"location.gps_point.{f}" for f in ("latitude", "range_in_kilometers")},
        ),
        (Dimensions(gps_point=GPSPoint(-90, 180, 0.1)), set()),
        (
            Dimensions(recency=Recency("", "")),
            {"behavior.recency.duration", "behavior.recency.recency_type"},
        ),
        (Dimensions(recency=Recency("DAY_14", "INACTIVE")), set()),
        (
            Dimensions(attributes={"a" * 101: AttributeDimension("INCLUSIVE", ("x",))}),
            {f"attributes[{'a' * 30}]"},
        ),
    ],
)
def test_other_criteria(dimensions: Dimensions, expected: set[str]) -> None:
    assert faults(dimensions=dimensions) == {f"segment.dimensions.{f}" for f in expected}


def test_paths_lead_into_groups_and_all_faults_are_told_at_once() -> None:
    bad = Dimensions(attributes={"Tier": AttributeDimension("INCLUSIVE", ("x", ""))})
    groups = Groups(
        "SOME", (Group(dimensions=(Dimensions(),)), Group("X", "Y", (bad, Dimensions(), bad)))
    )
    at = "segment.segment_groups"
    assert faults(groups=groups) == {
        f"{at}.include",
        f"{at}.groups[1].type",
        f"{at}.groups[1].source_type",
        f"{at}.groups[1].dimensions[0].attributes[Tier].values[1]",
        f"{at}.groups[1].dimensions[2].attributes[Tier].values[1]",
    }


@pytest.mark.parametrize(("count", "fine"), [(0, False), (1, True), (5, True), (6, False)])
def test_number_of_groups(count: int, *, fine: bool) -> None:
    found = faults(groups=Groups("ANY", (Group(),) * count))
    assert found == (set() if fine else {"segment.segment_groups.groups"})


def test_dimensions_and_groups_exclude_each_other() -> None:
    assert faults(dimensions=Dimensions(), groups=Groups("ALL", (Group(),))) == {"segment"}
    assert faults() == set()


@pytest.mark.parametrize(("count", "expected"), [(100, set()), (101, {"segment"})])
def test_number_of_dimensions(count: int, expected: set[str]) -> None:
    metrics = {f"m{n}": MetricDimension("EQUAL", 1) for n in range(count - 60)}
    rest = {f"m{n}": MetricDimension("EQUAL", 1) for n in range(60)}
    group = Group(dimensions=(Dimensions(metrics=metrics),))
    other = Group(dimensions=(Dimensions(metrics=rest),))
    assert faults(groups=Groups("ALL", (group, other))) == expected


@pytest.mark.parametrize(("count", "expected"), [(100, set()), (101, {"segment"})])
def test_number_of_values_over_all_groups(count: int, expected: set[str]) -> None:
    values = tuple(f"v{n}" for n in range(count - 50))
    many = Dimensions(attributes={"a": AttributeDimension("INCLUSIVE", values)})
    fifty = Dimensions(country=SetDimension("INCLUSIVE", tuple(f"c{n}" for n in range(50))))
    groups = Groups("ALL", (Group(dimensions=(many,)), Group(dimensions=(fifty,))))
    assert faults(groups=groups) == expected


def test_number_of_base_segments() -> None:
    for count, expected in ((1000, set[str]()), (1001, {"segment.segment_groups"})):
        group = Group(sources=(Reference("s"),) * count)
        assert faults(groups=Groups("ALL", (group,))) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"name": "a" * 128, "tags": {"k" * 128: "v" * 256}}, set()),
        ({"name": ""}, {"segment.name"}),
        ({"name": "a" * 129}, {"segment.name"}),
        ({"tags": {str(n): "" for n in range(51)}}, {"segment.tags"}),
        ({"tags": {"aws:x": ""}}, {"segment.tags[aws:x]"}),
        ({"tags": {"k" * 129: ""}}, {f"segment.tags[{'k' * 20}]"}),
        ({"tags": {"k": "v" * 257}}, {"segment.tags[k]"}),
    ],
)
def test_names_and_tags(parts: dict[str, Any], expected: set[str]) -> None:
    found = Violations()
    check_naming(found, segment(**parts), "segment")
    assert {violation.field for violation in found.found} == expected


PLAIN = segment(dimensions=Dimensions())
IMPORTED = segment(imported=ImportFacts(1, {}, "CSV", "", "job"))
KNOWN = {
    Reference("a"): PLAIN,
    Reference("b"): PLAIN,
    Reference("i"): IMPORTED,
    Reference("j", 1): IMPORTED,
}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([["a", "b"], ["a"]], set()),
        ([["i"]], set()),
        ([["a"], ["i"]], set()),
        ([["i", "i"]], {"groups[0].source_segments"}),
        ([["a", "i"]], {"groups[0].source_segments"}),
        ([["i"], []], {"groups"}),
        ([["i"], ["a", "i"]], {"groups", "groups[1].source_segments"}),
        (
            [["a", "x"], ["y"]],
            {f"groups[{p}].segment_id" for p in ("0].source_segments[1", "1].source_segments[0")},
        ),
    ],
)
def test_base_segments(sources: list[list[str]], expected: set[str]) -> None:
    groups = tuple(Group(sources=tuple(map(Reference, ids))) for ids in sources)
    found = Violations()
    check_sources(found, segment(groups=Groups("ALL", groups)), KNOWN, "segment")
    assert {v.field for v in found.found} == {f"segment.segment_groups.{f}" for f in expected}


def test_only_the_word_today_in_a_date_criterion_needs_the_zone() -> None:
    for operator, value, expected in (
        ("ON", "today", True),
        ("AFTER", "now", False),
        ("INCLUSIVE", "today", False),
    ):
        criteria = {"Seen": AttributeDimension(operator, (value,))}
        assert needs_zone(segment(dimensions=Dimensions(user_attributes=criteria))) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-05-07T09:30:00+00:00"),
        ("now-90d", "2026-02-06T09:30:00+00:00"),
        ("now+7d", "2026-05-14T09:30:00+00:00"),
        ("now-12h", "2026-05-06T21:30:00+00:00"),
        ("now-30m", "2026-05-07T09:00:00+00:00"),
        ("2026-05-07", "2026-05-07T00:00:00+00:00"),
        ("2026-05-07T10:00Z", "2026-05-07T10:00:00+00:00"),
        ("2026-05-07T10:00:00.5-05:00", "2026-05-07T15:00:00.500000+00:00"),
    ],
)
def test_dates_are_read(text: str, expected: str) -> None:
    instant = instant_of(text, MOMENT)
    assert instant is not None
    assert instant.isoformat() == expected
