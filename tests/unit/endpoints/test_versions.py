"""Versions and instants as things that sort."""

from datetime import UTC, datetime
from functools import cmp_to_key
from itertools import zip_longest
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.endpoints.domain.instants import instant_of
from services.endpoints.domain.versions import version_key

NUMBER = st.one_of(st.integers(0, 12), st.integers(0, 10**12))
PARTS = st.lists(NUMBER, min_size=1, max_size=4)
IDENTIFIER = st.one_of(NUMBER.map(str), st.from_regex(r"[0-9a-zA-Z-]{1,4}", fullmatch=True))
PRE = st.one_of(st.none(), st.lists(IDENTIFIER, min_size=1, max_size=3))
VERSION = st.tuples(PARTS, PRE)
Version = tuple[list[int], list[str] | None]


def text(version: Version) -> str:
    numbers = ".".join(map(str, version[0]))
    return numbers if version[1] is None else f"{numbers}-{'.'.join(version[1])}"


def sign(a: Any, b: Any) -> int:
    return int(a > b) - int(a < b)


def compared_identifiers(a: str, b: str) -> int:
    """Semantic Versioning 2.0.0, section 11.4."""
    if a.isdigit() and b.isdigit():
        return sign(int(a), int(b))
    if a.isdigit() != b.isdigit():
        return -1 if a.isdigit() else 1
    return sign(a, b)


def compared(a: Version, b: Version) -> int:
    """The rule of spec 4.3, written as it is told, not as keys are made."""
    for left, right in zip_longest(a[0], b[0], fillvalue=0):
        if left != right:
            return sign(left, right)
    if a[1] is None or b[1] is None:
        return (a[1] is None) - (b[1] is None)
    for one, other in zip(a[1], b[1], strict=False):
        if found := compared_identifiers(one, other):
            return found
    return sign(len(a[1]), len(b[1]))


@settings(deadline=None)  # the machine may be busy
@given(VERSION, VERSION)
def test_keys_sort_as_versions_compare(a: Version, b: Version) -> None:
    key_a, key_b = version_key(text(a)), version_key(text(b))
    assert key_a is not None
    assert key_b is not None
    assert sign(key_a, key_b) == compared(a, b)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(VERSION, max_size=8))
def test_sorting_by_key_is_sorting_by_version(versions: list[Version]) -> None:
    by_key = sorted(versions, key=lambda v: version_key(text(v)) or "")
    by_rule = sorted(versions, key=cmp_to_key(compared))
    assert [version_key(text(v)) for v in by_key] == [version_key(text(v)) for v in by_rule]


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.9", "1.10"),
        ("2.0-rc.1", "2"),
        ("2", "2.0.1-alpha"),
        ("2.0.1-alpha", "2.0.1"),
        ("1.0-alpha", "1.0-alpha.1"),
        ("1.0-alpha.1", "1.0-alpha.beta"),
        ("1.0-beta.2", "1.0-beta.11"),
        ("0", "0.0.1"),
        ("9", "10"),
    ],
)
def test_known_orders(lower: str, higher: str) -> None:
    assert (version_key(lower) or "") < (version_key(higher) or "")


@pytest.mark.parametrize(("a", "b"), [("2", "2.0.0"), ("02.1", "2.1"), ("1.0+build", "1")])
def test_known_equals(a: str, b: str) -> None:
    assert version_key(a) == version_key(b)


@pytest.mark.parametrize("value", ["", "v2", "2.", ".2", "2..1", "gold", "1-", "1.x", "２", "2 "])
def test_what_is_no_version(value: str) -> None:
    assert version_key(value) is None


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=12))
def test_no_text_is_too_odd(value: str) -> None:
    assert version_key(value) is None or value[0].isdigit()
    assert instant_of(value) is None or value[4] == "-"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-25", datetime(2026, 11, 25, tzinfo=UTC)),
        ("2026-11-25T10:20Z", datetime(2026, 11, 25, 10, 20, tzinfo=UTC)),
        ("2026-11-25T10:20:30.123987Z", datetime(2026, 11, 25, 10, 20, 30, 123000, tzinfo=UTC)),
        ("2026-11-25T10:20:30", None),
        ("2026-11-25T10:20:30+01:00", None),
        ("2026-02-30", None),
        ("0000-01-01", None),
        ("20261125", None),
        ("yesterday", None),
    ],
)
def test_instants(value: str, expected: datetime | None) -> None:
    assert instant_of(value) == expected
