"""The merge rules of spec 2.4 as a table, and the planning of batches (spec 2.5)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.endpoints.domain.endpoint import Change, Endpoint, Occasion, Stored
from services.endpoints.domain.identity import (
    cohort_of,
    document_id,
    field_name,
    is_application_id,
    is_endpoint_id,
    shard_range,
)
from services.endpoints.domain.limits import Limits, names_of, violations
from services.endpoints.domain.merge import agreed, merged
from services.endpoints.domain.plan import Plan, Planner, items_of

NOW = datetime(2026, 11, 25, 12, 0, 0, 123456, tzinfo=UTC)
THEN = datetime(2020, 1, 1, tzinfo=UTC)
OCCASION = Occasion("app", "request", NOW)


def endpoint(endpoint_id: str = "e", **fields: Any) -> Endpoint:
    return Endpoint("app", endpoint_id, 7, THEN, THEN, "before", **fields)


STORED = endpoint(
    channel_type="EMAIL",
    address="a@example.com",
    attributes={"Plan": ("pro",), "Color": ("red", "blue")},
    metrics={"ltv": 1.0},
    demographic={"make": "Acme", "timezone": "Europe/Berlin"},
    place={"country": "DE", "city": "Berlin"},
    coordinates={"latitude": 52.5, "longitude": 13.4},
    user_id="u",
    user_attributes={"Tier": ("gold",)},
    opted_out=True,
    inactive=True,
)


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        ({}, "address", "a@example.com"),
        ({"address": "B@x.org"}, "address", "B@x.org"),
        ({"address": ""}, "address", ""),
        ({}, "channel_type", "EMAIL"),
        ({"channel_type": "SMS"}, "channel_type", "SMS"),
        (
            {"attributes": {"Color": ("green",)}},
            "attributes",
            {"Plan": ("pro",), "Color": ("green",)},
        ),
        ({"attributes": {"Color": ()}}, "attributes", {"Plan": ("pro",)}),
        ({"attributes": {"Absent": ()}}, "attributes", STORED.attributes),
        ({"metrics": {"ltv": 2.0, "n": 0.0}}, "metrics", {"ltv": 2.0, "n": 0.0}),
        (
            {"demographic": {"make": "", "model": "One"}},
            "demographic",
            {"timezone": "Europe/Berlin", "model": "One"},
        ),
        ({"place": {"city": "Bonn"}}, "place", {"country": "DE", "city": "Bonn"}),
        (
            {"coordinates": {"latitude": -0.04}},
            "coordinates",
            {"latitude": 0.0, "longitude": 13.4},
        ),
        (
            {"coordinates": {"longitude": 139.6917}},
            "coordinates",
            {"latitude": 52.5, "longitude": 139.7},
        ),
        ({}, "user_attributes", {"Tier": ("gold",)}),
        ({"user_attributes": {"Tier": ()}}, "user_attributes", {}),
        ({"user_id": "other"}, "user_attributes", {}),
        ({"user_id": ""}, "user_id", ""),
        ({"user_id": ""}, "user_attributes", {}),
        ({}, "opted_out", True),
        ({"opted_out": False}, "opted_out", False),
        ({}, "inactive", False),
        ({"inactive": True}, "inactive", True),
        ({}, "effective_date", NOW.replace(microsecond=123000)),
        ({"effective_date": THEN}, "effective_date", THEN),
        ({}, "creation_date", THEN),
        ({}, "cohort", 7),
        ({}, "request_id", "request"),
    ],
)
def test_a_change_is_merged_field_by_field(
    change: dict[str, Any], field: str, expected: object
) -> None:
    after = merged(STORED, Change("e", **change), OCCASION)
    assert getattr(after, field) == expected


def test_a_first_change_makes_an_endpoint_that_takes_messages() -> None:
    made = merged(None, Change("New", "SMS", "+1"), OCCASION)
    assert (made.endpoint_id, made.opted_out, made.inactive) == ("New", False, False)
    assert made.creation_date == made.effective_date == NOW.replace(microsecond=123000)
    assert made.cohort == cohort_of("app", "new")


def test_attributes_of_an_endpoint_without_a_user_go_with_it_to_its_user() -> None:
    alone = endpoint(user_attributes={"Tier": ("gold",)})
    assert merged(alone, Change("e", user_id="u"), OCCASION).user_attributes == {"Tier": ("gold",)}


TEXTS = st.dictionaries(
    st.sampled_from("abc"), st.lists(st.text(max_size=2), max_size=2).map(tuple)
)


@settings(deadline=None)  # the machine may be busy
@given(first=TEXTS, second=TEXTS)
def test_the_same_change_twice_is_the_same_as_once(first: Any, second: Any) -> None:
    start = merged(None, Change("e", attributes=first), OCCASION)
    once = merged(start, Change("e", attributes=second), OCCASION)
    assert merged(once, Change("e", attributes=second), OCCASION) == once
    assert all(once.attributes.values())


KNOWN = TEXTS.map(lambda given: {name: values for name, values in given.items() if values})


@settings(deadline=None)  # the machine may be busy
@given(one=KNOWN, two=KNOWN, change=TEXTS)
def test_agreeing_again_changes_nothing(one: Any, two: Any, change: Any) -> None:
    target = agreed([one, two], change)
    assert agreed([target, target], change) == target
    assert set(target) == (set(one) | set(two) | set(change)) - {n for n in change if not change[n]}


def planned(
    changes: list[Change], members: list[Endpoint], limits: Limits | None = None, **more: Any
) -> Plan:
    known = [(document_id("app", m.endpoint_id), m) for m in members]
    stored = {key: Stored(m, 1, THEN) for key, m in known}
    with_user = [(key, m) for key, m in known if m.user_id]
    planner = Planner(stored, with_user, limits or Limits(most_per_user=2), OCCASION, **more)
    for item in items_of("app", enumerate(changes)):
        planner.add(item)
    return planner.plan


def device(name: str, year: int) -> Endpoint:
    made = endpoint(name, channel_type="GCM", user_id="u")
    at = datetime(year, 1, 1, tzinfo=UTC)
    return Endpoint("app", name, 7, THEN, at, channel_type=made.channel_type, user_id="u")


@pytest.mark.parametrize("channel", ["SMS", "VOICE", "EMAIL", "CUSTOM", "IN_APP", "PUSH"])
def test_a_full_user_refuses_what_is_no_device(channel: str) -> None:
    plan = planned([Change("x", channel, "a", user_id="u")], [device("a", 2001), device("b", 2002)])
    assert [v.field for v in plan.refused[0]] == ["user.user_id"]
    assert not plan.writes


@pytest.mark.parametrize("channel", ["ADM", "GCM", "APNS", "APNS_VOIP", "BAIDU"])
def test_a_full_user_loses_its_oldest_device(channel: str) -> None:
    plan = planned([Change("x", channel, "a", user_id="u")], [device("a", 2002), device("b", 2001)])
    assert plan.evicted == {document_id("app", "b")}
    assert set(plan.writes) == {document_id("app", "x")}


def test_a_full_user_without_devices_refuses_a_device() -> None:
    members = [endpoint(n, channel_type="EMAIL", user_id="u") for n in ("a", "b")]
    assert 0 in planned([Change("x", "GCM", "t", user_id="u")], members).refused


def test_a_member_may_be_updated_when_its_user_is_full() -> None:
    plan = planned([Change("a", user_id="u", metrics={"m": 1.0})], [device("a", 1), device("b", 2)])
    assert not plan.refused
    assert not plan.evicted


def test_the_cap_counts_what_the_batch_itself_adds() -> None:
    changes = [Change(f"x{n}", "EMAIL", f"a{n}", user_id="u") for n in range(3)]
    assert set(planned(changes, []).refused) == {2}


def test_of_two_endpoints_of_an_address_in_a_batch_the_later_is_active() -> None:
    changes = [Change("x", "APNS", "t"), Change("y", "GCM", "t"), Change("z", "EMAIL", "t")]
    plan = planned(changes, [])
    states = {key.rpartition("/")[2]: e.inactive for key, e in plan.writes.items()}
    assert states == {"x": True, "y": False, "z": False}


def test_later_changes_of_a_batch_see_earlier_ones() -> None:
    changes = [Change("E", metrics={"a": 1.0}), Change("e", metrics={"b": 2.0})]
    plan = planned(changes, [])
    assert [e.metrics for e in plan.writes.values()] == [{"a": 1.0, "b": 2.0}]
    assert list(plan.indexes.values()) == [[0, 1]]


def test_a_whole_endpoint_is_asked_of_new_ones_alone() -> None:
    plan = planned([Change("new"), Change("a")], [device("a", 2001)], whole=True)
    assert {v.field for v in plan.refused[0]} == {"address", "channel_type"}
    assert 1 not in plan.refused


def test_limits_name_every_field() -> None:
    bad = Change(
        "a$",
        "FAX",
        attributes={"n" * 51: ("v",), "many": ("v",) * 51, "long": ("x" * 101,)},
        metrics={"inf": float("inf"), "": 1.0},
        demographic={"timezone": "Nowhere"},
        coordinates={"latitude": -90.1, "longitude": 180.5},
        user_id="u" * 101,
    )
    assert {v.field for v in violations(bad, Limits())} == {
        "endpoint_id",
        "channel_type",
        f"attributes[{'n' * 50}]",
        "attributes[many]",
        "attributes[long]",
        "metrics[inf]",
        "metrics[]",
        "demographic.timezone",
        "location.latitude",
        "location.longitude",
        "user.user_id",
    }
    fine = Change("a", attributes={"n" * 50: ("v" * 100,) * 50}, coordinates={"latitude": 90.0})
    assert violations(fine, Limits()) == ()


def test_removing_a_name_takes_no_room() -> None:
    change = Change("e", attributes={"gone": (), "here": ("x",)}, metrics={"m": 0.0})
    assert names_of(change) == {"a:here", "m:m"}


@settings(deadline=None)  # the machine may be busy
@given(names=st.lists(st.text(min_size=1, max_size=6), unique=True))
def test_field_names_differ_as_names_do_and_hold_no_path(names: list[str]) -> None:
    escaped = {field_name(name) for name in names}
    assert len(escaped) == len(names)
    assert not any("." in name or "$" in name for name in escaped)


@settings(deadline=None)  # the machine may be busy
@given(
    app=st.text(alphabet="ab0.-_", min_size=1, max_size=4),
    name=st.text(min_size=1, max_size=9),
    count=st.integers(1, 256),
)
def test_every_endpoint_lies_in_one_shard(app: str, name: str, count: int) -> None:
    key = document_id(app, name)
    ranges = [shard_range(app, shard, count) for shard in range(count)]
    assert sum(r.low <= key < r.high for r in ranges) == 1
    assert all(a.high == b.low for a, b in pairwise(ranges))


def test_cohorts_are_about_one_per_cent_each() -> None:
    counts = [0] * 100
    for n in range(20_000):
        counts[cohort_of("app", f"e{n}")] += 1
    assert min(counts) > 120
    assert max(counts) < 290


def test_ids_are_checked() -> None:
    assert is_endpoint_id("a" * 100)
    assert not any(is_endpoint_id(i) for i in ("", "a" * 101, "a{", "}", "$1", "a\0"))
    assert not any(is_application_id(i) for i in ("", "a/b", "a b", "x" * 65))


def test_time_does_not_run_backwards_for_the_cohort() -> None:
    later = Occasion("app", "r", NOW + timedelta(days=900))
    assert merged(None, Change("E"), later).cohort == merged(None, Change("e"), OCCASION).cohort
