"""Layered values: precedence, short names, lists and what is missing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.handlebars import FlatLayer, Layers, TreeLayer, compile_template

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LAYERS = Layers(
    [FlatLayer("address"), FlatLayer("message"), TreeLayer("endpoint"), FlatLayer("defaults")],
    prefixes=[("User", "UserAttributes"), ("Attributes",)],
)
ENDPOINT: dict[str, Any] = {
    "Address": "+1",
    "Attributes": {"Interests": ["golf", "chess"], "City": ["Bonn"], "Empty": []},
    "Metrics": {"Age": 30},
    "User": {"UserId": "u1", "UserAttributes": {"FirstName": ["Ann"], "City": ["Ulm"]}},
}


def rendered(source: str, *sources: Any) -> tuple[str, set[str]]:
    resolver = LAYERS.over(*sources)
    text = compile_template(source, escape=False).render(resolver, now=NOW)
    return text, {".".join(path) for path in resolver.missing}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{Address}} {{User.UserId}} {{Metrics.Age}}", "+1 u1 30"),
        ("{{Attributes.Interests}}", "golf"),
        ("{{Attributes.Interests.[1]}}{{Attributes.Interests.[0]}}", "chessgolf"),
        ("{{#each Attributes.Interests}}{{this}};{{/each}}", "golf;chess;"),
        ("{{join Attributes.Interests '+'}}", "golf+chess"),
        ("{{upper Attributes.Interests}}", "GOLF"),
        ("{{eq Attributes.Interests 'golf'}}", "true"),
        ("{{FirstName}} {{FirstName.[0]}} {{Interests.[1]}}", "Ann Ann chess"),
        ("{{City}}", "Ulm"),
        ("{{Attributes.City}}", "Bonn"),
        ("{{#with User.UserAttributes}}{{FirstName}}{{City}}{{/with}}", "AnnUlm"),
        ("{{#each this}}{{@key}} {{/each}}", "Address Attributes Metrics User "),
        ("{{lookup Attributes 'City'}}", "Bonn"),
    ],
)
def test_an_endpoint_alone(source: str, expected: str) -> None:
    assert rendered(source, None, None, ENDPOINT, None) == (expected, set())


@pytest.mark.parametrize(
    ("address", "message", "defaults", "expected"),
    [
        ({}, {}, {}, "Ann"),
        ({}, {}, {"User.UserAttributes.FirstName": "there"}, "Ann"),
        ({}, {"User.UserAttributes.FirstName": "Msg"}, {}, "Msg"),
        ({"User.UserAttributes.FirstName": ["Adr"]}, {"FirstName": "Msg"}, {}, "Adr"),
        ({"User.UserAttributes.FirstName": []}, {}, {}, "Ann"),
        ({"User.UserAttributes.FirstName": None}, {}, {}, "Ann"),
        ({"User.UserAttributes.FirstName": ""}, {}, {}, ""),
    ],
)
def test_the_highest_layer_with_a_value_wins(
    address: Any, message: Any, defaults: Any, expected: str
) -> None:
    sources = (address, message, ENDPOINT, defaults)
    assert rendered("{{User.UserAttributes.FirstName}}", *sources)[0] == expected
    assert rendered("{{User.UserAttributes.FirstName.[0]}}", *sources)[0] == expected


def test_a_short_name_is_a_substitution_first_and_a_default_last() -> None:
    defaults = {"User.UserAttributes.Nick": "friend", "Attributes.Code": "none"}
    source = "{{FirstName}} {{Nick}} {{Code}}"
    assert rendered(source, {"FirstName": "Sub"}, None, ENDPOINT, defaults)[0] == "Sub friend none"


def test_an_empty_list_falls_through_to_the_default() -> None:
    assert (
        rendered("{{Attributes.Empty}}", None, None, ENDPOINT, {"Attributes.Empty": "d"})[0] == "d"
    )


def test_a_subtree_is_seen_through_all_layers() -> None:
    sources = ({"Attributes.City": "Rom"}, None, ENDPOINT, {"Attributes.New": "n"})
    source = "{{#with Attributes}}{{City}} {{New}} {{Interests.[1]}}{{/with}}"
    assert rendered(source, *sources)[0] == "Rom n chess"


def test_missing_variables_are_collected_but_not_those_only_tested() -> None:
    source = "{{Nope}}{{Attributes.Interests.[5]}}{{#if Gone}}x{{/if}}{{FirstName}}{{upper Lost}}"
    text, missing = rendered(source, None, None, ENDPOINT, None)
    assert text == "Ann"
    assert missing == {"Nope", "Attributes.Interests.5", "Lost"}


def test_the_number_of_sources_is_that_of_layers() -> None:
    with pytest.raises(ValueError, match="4 layers need as many sources, got 1"):
        LAYERS.over(None)


_NAMES = st.sampled_from(["A", "B", "C"])
_VALUES = st.one_of(st.text(max_size=3), st.lists(st.text(max_size=3), max_size=2), st.none())
_FLAT = st.dictionaries(_NAMES.map(lambda name: f"Attributes.{name}"), _VALUES)
_TREE = st.fixed_dictionaries({"Attributes": st.dictionaries(_NAMES, _VALUES)})


@settings(deadline=None)  # the machine may be busy
@given(_FLAT, _FLAT, _TREE, _FLAT, _NAMES)
def test_precedence_is_the_order_of_layers(
    address: Any, message: Any, endpoint: Any, defaults: Any, name: str
) -> None:
    key = f"Attributes.{name}"
    candidates = [address.get(key), message.get(key), endpoint["Attributes"].get(name)]
    values = [value for value in [*candidates, defaults.get(key)] if value not in (None, [])]
    first = values[0] if values else ""
    expected = first if isinstance(first, str) else first[0]
    text, missing = rendered(f"{{{{{key}}}}}", address, message, endpoint, defaults)
    assert text == expected
    assert missing == (set() if values else {key})
    # The short name finds the same value.
    assert rendered(f"{{{{{name}}}}}", address, message, endpoint, defaults)[0] == expected
