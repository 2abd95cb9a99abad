"""A compiled segment means what spec 4.3 and 4.4 say, simplified or not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.segmentation.domain import filters
from services.segmentation.domain.compilation import compiled
from services.segmentation.domain.dates import Moment
from services.segmentation.domain.filters import EVERYBODY, NOBODY, nodes, simplified, size
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
from tests.support.filter_meaning import admits
from tests.support.segment_meaning import (
    APP,
    NOW,
    Person,
    member,
    random_library,
    random_person,
    random_segment,
)

MOMENT = Moment(NOW)


def segment(**parts: Any) -> Segment:
    return Segment(APP, "s", "Sample", 1, NOW, NOW, **parts)


def is_member(person: Person, **parts: Any) -> bool:
    asked = compiled(segment(**parts), {}, MOMENT)
    answers = {admits(asked, person), admits(simplified(asked), person)}
    assert len(answers) == 1
    return answers.pop()


@settings(max_examples=800, deadline=None)
@given(st.integers(0, 2**64))
def test_compiled_filter_admits_exactly_the_members(seed: int) -> None:
    dice = Random(seed)
    library = random_library(dice)
    made = random_segment(dice, "top", list(library))
    asked = compiled(made, library, MOMENT)
    short = simplified(asked)
    assert size(short) <= size(asked)
    for number in range(6):
        person = random_person(dice, f"p{number}")
        expected = member(made, person, library)
        assert admits(asked, person) == expected
        assert admits(short, person) == expected


leaves = st.sampled_from([filters.Imported(c) for c in "abc"])
trees = st.recursive(
    leaves,
    lambda inner: st.builds(
        filters.Group,
        st.sampled_from(["ALL", "ANY", "NONE"]),
        st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(trees, st.sets(st.sampled_from("abc")))
def test_simplifying_never_changes_an_answer(tree: filters.Filter, held: set[str]) -> None:
    person = Person("p", imports=frozenset(held))
    short = simplified(tree)
    assert admits(short, person) == admits(tree, person)
    assert simplified(short) == short


@given(trees)
def test_simplified_trees_hold_nothing_superfluous(tree: filters.Filter) -> None:
    short = simplified(tree)
    for path, node in nodes(short):
        if path:
            assert node not in (EVERYBODY, NOBODY)
        if isinstance(node, filters.Group):
            assert len(node.filters) != 1 or node.kind == "NONE"
            same = [p for p in node.filters if isinstance(p, filters.Group) and p.kind == node.kind]
            assert not same or node.kind == "NONE"


GOLD = Person("p", attributes={"Tier": ("gold", "New York")})
BARE = Person("p", channel="SMS")


@pytest.mark.parametrize(
    ("operator", "values", "held", "expected"),
    [
        ("INCLUSIVE", ["gold", "x"], ["gold"], True),
        ("INCLUSIVE", ["Gold"], ["gold"], False),
        ("INCLUSIVE", ["gold"], ["silver", "gold"], True),
        ("INCLUSIVE", ["gold"], [], False),
        ("EXCLUSIVE", ["gold"], ["silver"], True),
        ("EXCLUSIVE", ["gold"], ["silver", "gold"], False),
        ("EXCLUSIVE", ["gold"], [], True),
        ("CONTAINS", ["ew"], ["New York"], True),
        ("CONTAINS", ["ew"], ["Newcastle"], True),
        ("CONTAINS", ["EW"], ["New York"], False),
        ("CONTAINS", ["ew"], [], False),
        ("BEFORE", ["now-90d"], ["2026-02-06"], True),
        ("BEFORE", ["now-90d"], ["2026-02-06T09:30:00Z"], False),
        ("BEFORE", ["now-90d", "now"], ["2026-05-07"], True),
        ("BEFORE", ["now"], ["yesterday"], False),
        ("BEFORE", ["now"], [], False),
        ("AFTER", ["now"], ["2026-05-14T09:30:00Z"], True),
        ("AFTER", ["now"], ["2026-05-07T09:30:00Z"], False),
        ("AFTER", ["now+7d", "today"], ["2026-05-07T09:30:00Z"], True),
        ("AFTER", ["now-90d"], [], False),
        ("ON", ["today"], ["2026-05-07T22:00:00Z"], True),
        ("ON", ["now"], ["2026-05-07"], True),
        ("ON", ["2026-05-07T00:00:00Z"], ["2026-05-06T23:59:59.999Z"], False),
        ("ON", ["2026-05-07T00:30:00+02:00"], ["2026-05-06T23:59:59.999Z"], True),
        ("ON", ["today"], [], False),
        ("BETWEEN", ["now", "now+7d"], ["2026-05-07T09:30:00Z"], True),
        ("BETWEEN", ["now", "now+7d"], ["2026-05-14T09:30:00Z"], True),
        ("BETWEEN", ["now", "now+7d"], ["2026-05-07"], False),
        # Values on both sides of a range are not in it.
        ("BETWEEN", ["today", "now-30m"], ["2026-02-06", "2026-05-14T09:30:00Z"], False),
        ("BETWEEN", ["now", "now+7d"], [], False),
        ("VERSION_GTE", ["2.0"], ["2"], True),
        ("VERSION_GTE", ["2.0"], ["10.0"], True),
        ("VERSION_GTE", ["2.0"], ["2.0-rc1"], False),
        ("VERSION_GT", ["2.0"], ["2.0.0"], False),
        ("VERSION_GT", ["2.0"], ["2.0.1"], True),
        ("VERSION_LT", ["2.0"], ["2.0-rc1"], True),
        ("VERSION_LT", ["10.0"], ["1.9"], True),
        ("VERSION_LTE", ["2"], ["2.0.0"], True),
        ("VERSION_EQ", ["2"], ["2.0"], True),
        ("VERSION_EQ", ["2"], ["2.0.1"], False),
        ("VERSION_LT", ["2.0"], [], False),
        ("VERSION_LT", ["2.0"], ["new"], False),
    ],
)
@pytest.mark.parametrize("owner", ["attributes", "user_attributes"])
def test_attribute_operators(
    owner: str, operator: str, values: list[str], held: list[str], *, expected: bool
) -> None:
    parts: Any = {owner: {"Name": AttributeDimension(operator, tuple(values))}}
    have: Any = {owner: {"Name": tuple(held)}} if held else {}
    assert is_member(Person("p", **have), dimensions=Dimensions(**parts)) is expected


@pytest.mark.parametrize(
    ("fact", "operator", "values", "facts", "expected"),
    [
        ("platform", "INCLUSIVE", ["iOS"], {"platform": "iOS"}, True),
        ("platform", "INCLUSIVE", ["ios"], {"platform": "iOS"}, False),
        ("platform", "INCLUSIVE", ["iOS"], {}, False),
        ("platform", "EXCLUSIVE", ["iOS"], {"platform": "iOS"}, False),
        ("platform", "EXCLUSIVE", ["iOS"], {}, True),
        ("device_type", "INCLUSIVE", ["Android"], {"platform": "Android"}, True),
        ("make", "INCLUSIVE", ["Acme"], {"make": "Acme"}, True),
        ("make", "INCLUSIVE", ["Acme"], {"model": "Acme"}, False),
        ("model", "EXCLUSIVE", ["One"], {"make": "One"}, True),
        ("app_version", "INCLUSIVE", ["2.0"], {"app_version": "2"}, False),
        ("app_version", "VERSION_EQ", ["2.0"], {"app_version": "2"}, True),
        ("app_version", "VERSION_GTE", ["2.0"], {"app_version": "1.9"}, False),
        ("app_version", "VERSION_LT", ["2.0"], {}, False),
        ("channel", "INCLUSIVE", ["EMAIL"], {}, False),
        ("channel", "INCLUSIVE", ["EMAIL", "SMS"], {}, True),
        ("channel", "EXCLUSIVE", ["SMS"], {}, False),
        ("channel", "EXCLUSIVE", ["PUSH"], {}, True),
    ],
)
def test_fact_operators(
    fact: str, operator: str, values: list[str], facts: dict[str, str], *, expected: bool
) -> None:
    person = replace(BARE, facts=facts)
    dimensions = Dimensions(demographic={fact: SetDimension(operator, tuple(values))})
    assert is_member(person, dimensions=dimensions) is expected


@pytest.mark.parametrize("channel", ["GCM", "APNS", "APNS_VOIP_SANDBOX", "ADM", "BAIDU"])
def test_push_is_the_whole_family(channel: str) -> None:
    person = Person("p", channel=channel)
    for operator, expected in (("INCLUSIVE", True), ("EXCLUSIVE", False)):
        push = Dimensions(demographic={"channel": SetDimension(operator, ("PUSH",))})
        assert is_member(person, dimensions=push) is expected


@pytest.mark.parametrize(
    ("operator", "value", "held", "expected"),
    [
        ("GREATER_THAN", 10000, 10000.0, False),
        ("GREATER_THAN", 10000, 10000.01, True),
        ("GREATER_THAN_OR_EQUAL", 10000, 10000.0, True),
        ("LESS_THAN", 0, 0.0, False),
        ("LESS_THAN", 0, -0.5, True),
        ("LESS_THAN_OR_EQUAL", 0, 0.0, True),
        ("EQUAL", 7, 7.0, True),
        ("EQUAL", 7, 7.5, False),
        ("LESS_THAN", 5, None, False),
        ("EQUAL", 0, None, False),
    ],
)
def test_metric_operators(
    operator: str, value: float, held: float | None, *, expected: bool
) -> None:
    person = Person("p", metrics={} if held is None else {"ltv": held})
    dimensions = Dimensions(metrics={"ltv": MetricDimension(operator, value)})
    assert is_member(person, dimensions=dimensions) is expected


@pytest.mark.parametrize(
    ("duration", "span"),
    [
        ("HR_24", timedelta(hours=24)),
        ("DAY_7", timedelta(days=7)),
        ("DAY_14", timedelta(days=14)),
        ("DAY_30", timedelta(days=30)),
    ],
)
def test_recency_border_is_active(duration: str, span: timedelta) -> None:
    border = Person("p", last_activity=NOW - span)
    older = Person("p", last_activity=NOW - span - timedelta(milliseconds=1))
    active = Dimensions(recency=Recency(duration, "ACTIVE"))
    inactive = Dimensions(recency=Recency(duration, "INACTIVE"))
    assert is_member(border, dimensions=active)
    assert not is_member(older, dimensions=active)
    assert not is_member(border, dimensions=inactive)
    assert is_member(older, dimensions=inactive)


def test_distance_and_country() -> None:
    berlin = Person("p", point=(52.5, 13.4), country="DE")
    nowhere = Person("p")
    near = Dimensions(gps_point=GPSPoint(52.5, 13.5, 7.0))
    assert is_member(berlin, dimensions=near)  # a tenth of a degree there is 6.8 km
    assert not is_member(berlin, dimensions=Dimensions(gps_point=GPSPoint(52.5, 13.5, 6.7)))
    assert not is_member(nowhere, dimensions=near)
    for operator, here, absent in (("INCLUSIVE", True, False), ("EXCLUSIVE", False, True)):
        country = Dimensions(country=SetDimension(operator, ("DE", "AT")))
        assert is_member(berlin, dimensions=country) is here
        assert is_member(nowhere, dimensions=country) is absent


def test_criteria_of_one_set_must_all_hold() -> None:
    both = Dimensions(
        attributes={"Tier": AttributeDimension("INCLUSIVE", ("gold",))},
        country=SetDimension("INCLUSIVE", ("JP",)),
    )
    assert not is_member(GOLD, dimensions=both)
    assert is_member(replace(GOLD, country="JP"), dimensions=both)


TRUE, FALSE = Dimensions(), Dimensions(country=SetDimension("INCLUSIVE", ("JP",)))


@pytest.mark.parametrize(
    ("kind", "sets", "expected"),
    [
        ("ALL", [TRUE, FALSE], False),
        ("ALL", [TRUE, TRUE], True),
        ("ANY", [TRUE, FALSE], True),
        ("ANY", [FALSE, FALSE], False),
        ("NONE", [FALSE, FALSE], True),
        ("NONE", [TRUE, FALSE], False),
        ("ALL", [], True),
        ("ANY", [], True),
        ("NONE", [], True),
    ],
)
def test_sets_sources_and_groups_combine_alike(
    kind: str, sets: list[Dimensions], *, expected: bool
) -> None:
    as_sets = Groups("ALL", (Group(kind=kind, dimensions=tuple(sets)),))
    assert is_member(BARE, groups=as_sets) is expected
    if sets:
        as_groups = Groups(kind, tuple(Group(dimensions=(one,)) for one in sets))
        assert is_member(BARE, groups=as_groups) is expected
    references = tuple(Reference(f"s{n}") for n in range(len(sets)))
    library = {r: segment(dimensions=s) for r, s in zip(references, sets, strict=True)}
    on_sources = segment(groups=Groups("ALL", (Group(source_kind=kind, sources=references),)))
    assert admits(simplified(compiled(on_sources, library, MOMENT)), BARE) is expected


def test_base_and_criteria_of_a_group_must_both_hold() -> None:
    reference = Reference("base")
    for base, criteria in ((TRUE, FALSE), (FALSE, TRUE)):
        group = Group(kind="ANY", source_kind="ANY", dimensions=(criteria,), sources=(reference,))
        made = segment(groups=Groups("ANY", (group,)))
        assert not admits(compiled(made, {reference: segment(dimensions=base)}, MOMENT), BARE)


def _or(*sets: Dimensions) -> Groups:
    return Groups("ANY", tuple(Group(dimensions=(one,)) for one in sets))


def test_seed_example_engaged_ios_or_vip() -> None:
    """Spec 4.5: opened the app in the last 30 days AND iOS, or LTV above 5,000."""
    groups = _or(
        Dimensions(
            recency=Recency("DAY_30", "ACTIVE"),
            demographic={"platform": SetDimension("INCLUSIVE", ("iOS",))},
        ),
        Dimensions(metrics={"ltv": MetricDimension("GREATER_THAN", 5000)}),
    )
    idle = NOW - timedelta(days=31)
    assert is_member(Person("p", facts={"platform": "iOS"}), groups=groups)
    assert not is_member(Person("p", facts={"platform": "Android"}), groups=groups)
    assert not is_member(Person("p", facts={"platform": "iOS"}, last_activity=idle), groups=groups)
    assert is_member(Person("p", metrics={"ltv": 5000.5}, last_activity=idle), groups=groups)
    assert not is_member(Person("p", metrics={"ltv": 5000}, last_activity=idle), groups=groups)


def test_seed_example_japan_new_app_or_lapsed_spender() -> None:
    """Country = JP AND App Version >= 2.0, or spent over 100 and not seen for 7 days."""
    groups = _or(
        Dimensions(
            country=SetDimension("INCLUSIVE", ("JP",)),
            demographic={"app_version": SetDimension("VERSION_GTE", ("2.0",))},
        ),
        Dimensions(
            metrics={"spend": MetricDimension("GREATER_THAN", 100)},
            recency=Recency("DAY_7", "INACTIVE"),
        ),
    )
    lapsed = NOW - timedelta(days=8)
    assert is_member(Person("p", country="JP", facts={"app_version": "10.0"}), groups=groups)
    assert not is_member(Person("p", country="JP", facts={"app_version": "1.9"}), groups=groups)
    assert not is_member(Person("p", country="US", facts={"app_version": "10.0"}), groups=groups)
    assert is_member(Person("p", metrics={"spend": 101}, last_activity=lapsed), groups=groups)
    assert not is_member(Person("p", metrics={"spend": 101}), groups=groups)
    assert not is_member(Person("p", metrics={"spend": 100}, last_activity=lapsed), groups=groups)


@pytest.mark.parametrize(
    ("zone", "now", "midnight", "day"),
    [
        ("UTC", "2026-05-07T09:30:00Z", "2026-05-07T00:00:00Z", "2026-05-07"),
        ("Asia/Tokyo", "2026-05-07T16:00:00Z", "2026-05-07T15:00:00Z", "2026-05-08"),
        ("America/New_York", "2026-05-07T02:00:00Z", "2026-05-06T04:00:00Z", "2026-05-06"),
        # Clocks go forward at midnight there: the day begins at one.
        ("Asia/Beirut", "2026-03-29T12:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29"),
    ],
)
def test_today_is_the_day_of_the_projects_zone(
    zone: str, now: str, midnight: str, day: str
) -> None:
    moment = Moment(datetime.fromisoformat(now), ZoneInfo(zone))
    after = Dimensions(attributes={"Seen": AttributeDimension("AFTER", ("today",))})
    asked: Any = compiled(segment(dimensions=after), {}, moment)
    assert asked.filters[0].start == datetime.fromisoformat(midnight)
    on = Dimensions(attributes={"Seen": AttributeDimension("ON", ("today",))})
    asked = simplified(compiled(segment(dimensions=on), {}, moment))
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    assert (asked.start, asked.end) == (start, start + timedelta(days=1))
    assert (asked.start_inclusive, asked.end_inclusive) == (True, False)


def test_the_last_day_of_the_calendar_has_an_open_end() -> None:
    on = Dimensions(attributes={"Seen": AttributeDimension("ON", ("9999-12-31",))})
    asked: Any = simplified(compiled(segment(dimensions=on), {}, MOMENT))
    assert asked.end is None


def test_segment_without_criteria_is_everybody() -> None:
    for made in (segment(), segment(dimensions=Dimensions()), segment(groups=_or(Dimensions()))):
        assert simplified(compiled(made, {}, MOMENT)) == EVERYBODY
