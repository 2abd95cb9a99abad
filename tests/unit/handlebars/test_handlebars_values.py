"""Values that no JSON context can hold: how they print, compare and are looked up."""

from __future__ import annotations

from collections import ChainMap
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from libs.handlebars import Layers, TreeLayer, Values, compile_template
from libs.handlebars.values import Root, escaped, get, look, present, same_context, text, truthy

NOW = datetime(2026, 1, 2, tzinfo=UTC)
NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (NAN, "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (1e300, "1e+300"),
        (1.5e-9, "1.5e-9"),
        (123456789012345680000.0, "123456789012345680000"),
        (9007199254740993.0, "9007199254740992"),
        (12345678901234567.0, "12345678901234568"),
        (2**70, str(2**70)),
        (Decimal("1.10"), "1.10"),
        (Values([]), ""),
        (Values([None, "b"]), ""),
        (Values([Values(["deep"])]), "deep"),
        ((1, 2), "1,2"),
        (ChainMap({"a": 1}), "[object Object]"),
        (Root({(): {"a": 1}}.get, {}.get), "[object Object]"),  # type: ignore[arg-type]
    ],
)
def test_text(value: object, expected: str) -> None:
    assert text(value) == expected
    assert escaped(value) == expected


@pytest.mark.parametrize("value", [NAN, 0, 0.0, "", None, False, [], (), Values([])])
def test_false_values(value: object) -> None:
    assert not truthy(value)


TRUE_VALUES: list[object] = [1, "0", {}, [0], True, ChainMap({})]


@pytest.mark.parametrize("value", TRUE_VALUES)
def test_true_values(value: object) -> None:
    assert truthy(value)
    assert present(value)


ZEROES_AND_BLANKS: list[object] = [0, 0.0, False, NAN, "", [], None]


def test_zero_is_present_and_false_is_not() -> None:
    assert [present(value) for value in ZEROES_AND_BLANKS] == [
        True, True, False, False, False, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("1", 1, True),
        (True, 1, True),
        ("", 0, True),
        ("x", 0, False),
        ("a", "a", True),
        ([], [], False),
        (None, 0, False),
        ({}, "x", False),
        ("x", {}, False),
    ],
)
def test_contexts_compare_as_in_javascript(left: object, right: object, *, same: bool) -> None:
    assert same_context(left, right) is same


def test_properties() -> None:
    assert get("a😀", "length") == 3
    assert get([1, 2], "01") is None
    assert get([1, 2], "2") is None
    assert get(5, "x") is None
    assert get(ChainMap({"x": 1}), "x") == 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (date(2026, 1, 5), "2026-01-05 00:00 +0000"),
        (datetime(2026, 1, 5, 7, 30, tzinfo=UTC), "2026-01-05 07:30 +0000"),
        (datetime(2026, 1, 5, 7, 30, tzinfo=UTC).replace(tzinfo=None), "2026-01-05 07:30 +0000"),
    ],
)
def test_dates_as_a_driver_returns_them(value: Any, expected: str) -> None:
    template = compile_template("{{dateFormat d 'yyyy-MM-dd HH:mm Z'}}", escape=True)
    assert template.render(partial(look, {"d": value}), now=NOW) == expected


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("Europe/Berlin", "06:30"), ("-05:30", "13:00"), ("+02", "05:30"), ("GMT", "07:30")],
)
def test_a_date_may_name_its_zone(zone: str, expected: str) -> None:
    call = f"dateFormat '2026-01-05 07:30 {zone}' 'yyyy-MM-dd HH:mm z' 'HH:mm' 'UTC'"
    template = compile_template("{{" + call + "}}", escape=True)
    assert template.render(partial(look, {}), now=NOW) == expected


def test_a_layer_may_hold_other_mappings_and_lists_of_trees() -> None:
    layers = Layers([TreeLayer("data")])
    data = {"Items": [{"Name": "a"}, {"Name": "b"}], "Map": ChainMap({"x": {"y": "z"}})}
    source = "{{Items.[1].Name}}{{#each Items}}{{Name}}{{/each}}{{Map.x.y}}{{Items.x}}{{Map.x.y.z}}"
    template = compile_template(source, escape=True)
    assert template.render(layers.over(data), now=NOW) == "babz"
