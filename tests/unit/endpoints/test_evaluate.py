"""Operators of spec 4.3 in memory, as a table; groups; findings in words."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import InvalidFields
from services.endpoints.domain.endpoint import Endpoint, Stored
from services.endpoints.domain.evaluate import described, distance_km, findings, matches
from services.endpoints.domain.filters import (
    DEEPEST,
    Activity,
    Channel,
    Distance,
    Filter,
    Group,
    Imported,
    Instant,
    Number,
    Text,
    Version,
    check_filter,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
ENDPOINT = Endpoint(
    "app",
    "e",
    7,
    NOW,
    NOW,
    channel_type="APNS",
    attributes={"City": ("New York", "Newcastle"), "Login": ("2026-11-25T08:00:00Z", "never")},
    metrics={"spend": 100.0},
    demographic={"app_version": "2.10.1", "platform": "iOS"},
    place={"country": "JP"},
    coordinates={"latitude": 35.7, "longitude": 139.7},
    user_id="u",
    user_attributes={"Api": ("1.2",)},
)
STORED = Stored(ENDPOINT, 1, NOW - timedelta(days=7), frozenset({"seg"}))
DAY = datetime(2026, 11, 25, tzinfo=UTC)
LOGIN_THAT_DAY = Instant(
    "ATTRIBUTE", "Login", DAY, DAY + timedelta(days=1), start_inclusive=True, end_inclusive=False
)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Text("ATTRIBUTE", "IN", ("Newcastle",), "City"), True),
        (Text("ATTRIBUTE", "IN", ("newcastle",), "City"), False),
        (Text("ATTRIBUTE", "IN", ("x",), "Absent"), False),
        (Text("ATTRIBUTE", "NOT_IN", ("x", "Newcastle"), "City"), False),
        (Text("ATTRIBUTE", "NOT_IN", ("x",), "City"), True),
        (Text("ATTRIBUTE", "NOT_IN", ("x",), "Absent"), True),
        (Text("ATTRIBUTE", "CONTAINS", ("ew",), "City"), True),
        (Text("ATTRIBUTE", "CONTAINS", ("EW",), "City"), False),
        (Text("ATTRIBUTE", "CONTAINS", ("",), "Absent"), False),
        (Text("COUNTRY", "IN", ("JP", "KR")), True),
        (Text("MAKE", "NOT_IN", ("Acme",)), True),
        (Text("USER_ID", "IN", ("u",)), True),
        (Version("APP_VERSION", "GREATER_THAN", "2.9"), True),
        (Version("APP_VERSION", "LESS_THAN_OR_EQUAL", "2.10.1.0"), True),
        (Version("USER_ATTRIBUTE", "EQUAL", "1.2.0", "Api"), True),
        (Version("ATTRIBUTE", "LESS_THAN", "1", "Absent"), False),
        (LOGIN_THAT_DAY, True),
        (Instant("ATTRIBUTE", "Login", NOW, None), False),
        (Instant("ATTRIBUTE", "Login", None, NOW), True),
        (Instant("ATTRIBUTE", "City", None, None), False),
        (Number("spend", "GREATER_THAN", 100), False),
        (Number("spend", "GREATER_THAN_OR_EQUAL", 100), True),
        (Number("absent", "LESS_THAN", 1), False),
        (Distance(35.7, 139.7, 0.001), True),
        (Distance(34.7, 135.5, 390), False),
        (Distance(34.7, 135.5, 410), True),
        (Activity(active=True, since=NOW - timedelta(days=7)), True),
        (Activity(active=False, since=NOW - timedelta(days=7)), False),
        (Activity(active=False, since=NOW), True),
        (Imported("seg"), True),
        (Imported("other"), False),
        (Channel(included=True, channel_types=("PUSH",)), True),
        (Channel(included=True, channel_types=("GCM",)), False),
        (Channel(included=False, channel_types=("PUSH", "SMS")), False),
        (Channel(included=False, channel_types=("SMS",)), True),
        (Group("ALL"), True),
        (Group("ANY"), False),
        (Group("NONE"), True),
    ],
)
def test_a_node_means_what_the_table_says(node: Filter, expected: bool) -> None:  # noqa: FBT001
    check_filter(node)
    assert matches(STORED, node) is expected
    negated = Group("NONE", (node,))
    assert matches(STORED, negated) is not expected


LEAF = st.sampled_from([Imported("seg"), Imported("other")])
TREE = st.recursive(
    LEAF,
    lambda parts: st.builds(
        Group, st.sampled_from(["ALL", "ANY", "NONE"]), st.lists(parts, max_size=3).map(tuple)
    ),
    max_leaves=10,
)


@settings(deadline=None)  # the machine may be busy
@given(parts=st.lists(TREE, max_size=4))
def test_none_of_is_not_any_of(parts: list[Filter]) -> None:
    some = tuple(parts)
    assert matches(STORED, Group("NONE", some)) is not matches(STORED, Group("ANY", some))
    nots = tuple(Group("NONE", (part,)) for part in some)
    assert matches(STORED, Group("ALL", some)) is not matches(STORED, Group("ANY", nots))


def test_findings_come_depth_first_with_their_paths() -> None:
    inner = Group("ANY", (Imported("seg"), Number("spend", "LESS_THAN", 5)))
    found = findings(STORED, Group("ALL", (inner, Text("COUNTRY", "IN", ("JP",)))))
    assert [(f.path, f.holds) for f in found] == [
        ("", True),
        ("0", True),
        ("0.0", True),
        ("0.1", False),
        ("1", True),
    ]
    assert found[3].description == "Metrics.spend < 5"
    assert found[3].seen == "100"


def test_distances_are_great_circles() -> None:
    tokyo_to_osaka = distance_km(STORED, Distance(34.7, 135.5, 1))
    assert tokyo_to_osaka == pytest.approx(397, abs=3)
    opposite = Distance(-35.7, 139.7 - 180, 1)
    assert distance_km(STORED, opposite) == pytest.approx(20_037, abs=1)
    nowhere = Stored(Endpoint("app", "e", 0, NOW, NOW), 1, NOW)
    assert distance_km(nowhere, opposite) is None


def test_a_filter_too_deep_is_refused() -> None:
    node: Filter = Imported("seg")
    for _ in range(DEEPEST + 1):
        node = Group("ALL", (node,))
    with pytest.raises(InvalidFields):
        check_filter(node)


@settings(deadline=None)  # the machine may be busy
@given(TREE)
def test_every_node_can_be_told_in_words(node: Filter) -> None:
    assert described(node)
