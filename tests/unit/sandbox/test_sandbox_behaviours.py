"""Behaviours: matching, shares and the schema."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.errors import InvalidFields, Violation
from libs.smpp.codes import CommandStatus
from libs.smpp.receipt import STATES
from services.sandbox.domain.behaviours import (
    ACTIONS,
    DEFAULTS,
    MAX_BEHAVIOURS,
    OUTCOMES,
    RECEIPT_STATES,
    STATUSES,
    behaviour_for,
    fraction,
    in_share,
    parse_behaviours,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(["match", "outcome", "actions", "kind", "channel", "to", "share", "text"])


def test_the_names_are_those_of_the_standard() -> None:
    assert set(STATUSES) <= {status.name for status in CommandStatus}
    assert set(RECEIPT_STATES) == set(STATES.values())


@pytest.mark.parametrize(
    ("channel", "kind"), [(channel, kind) for channel, kinds in OUTCOMES.items() for kind in kinds]
)
def test_every_outcome_works_with_its_defaults(channel: str, kind: str) -> None:
    (behaviour,) = parse_behaviours([{"match": {"channel": channel}, "outcome": {"kind": kind}}])
    assert behaviour.outcome.kind == kind
    for name, rule in OUTCOMES[channel][kind].items():
        assert getattr(behaviour.outcome, name) == rule.default


@pytest.mark.parametrize(
    ("channel", "kind"), [(channel, kind) for channel, kinds in ACTIONS.items() for kind in kinds]
)
def test_every_action_works_with_its_defaults(channel: str, kind: str) -> None:
    document = [{"match": {"channel": channel}, "actions": [{"kind": kind, "after_ms": 7}]}]
    (action,) = parse_behaviours(document)[0].actions
    assert (action.kind, action.after_ms, action.share) == (kind, 7, 100)


@given(
    st.lists(
        st.dictionaries(names, JSON | st.dictionaries(names, JSON, max_size=3), max_size=4),
        max_size=3,
    )
    | JSON
)
def test_any_document_is_read_or_refused_by_field(document: Any) -> None:
    read: int | None = None
    violations: tuple[Violation, ...] = ()
    try:
        read = len(parse_behaviours(document))
    except InvalidFields as error:
        violations = error.violations
    assert violations or read == len(document)


def test_the_list_is_bounded() -> None:
    row = {"match": {"channel": "SMS"}}
    assert len(parse_behaviours([row] * MAX_BEHAVIOURS)) == MAX_BEHAVIOURS
    with pytest.raises(InvalidFields, match="at most"):
        parse_behaviours([row] * (MAX_BEHAVIOURS + 1))


@pytest.mark.parametrize("text", ["550 a\r\nDATA", "a\0"])
def test_a_text_cannot_smuggle_a_line(text: str) -> None:
    outcome = {"kind": "reject", "text": text}
    with pytest.raises(InvalidFields, match=r"\[0\]\.outcome\.text: must be one line"):
        parse_behaviours([{"match": {"channel": "EMAIL"}, "outcome": outcome}])


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        ({"kind": "reject", "code": "550"}, r"code: must be a whole number"),
        ({"kind": "reject", "code": 550.5}, r"code: must be a whole number"),
        ({"kind": "reject", "code": True}, r"code: must be a whole number"),
        ({"kind": "reject", "code": 450}, r"code: must be from 500 to 599"),
        ({"kind": "reject", "text": 1}, r"text: must be a string"),
    ],
)
def test_a_value_of_the_wrong_kind_is_explained(outcome: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidFields, match=problem):
        parse_behaviours([{"match": {"channel": "EMAIL"}, "outcome": outcome}])
    with pytest.raises(InvalidFields, match="share: must be a number"):
        parse_behaviours([{"match": {"channel": "EMAIL", "share": "5"}}])


def test_the_first_match_wins() -> None:
    behaviours = parse_behaviours(
        [
            {"match": {"channel": "SMS", "to": "+1555*"}, "outcome": {"kind": "lost"}},
            {"match": {"channel": "SMS", "carrier": "blue"}, "outcome": {"kind": "down"}},
            {"match": {"channel": "SMS", "to": "+15550"}, "outcome": {"kind": "reject"}},
        ]
    )

    def kind(channel: str, to: str, carrier: str = "") -> str:
        return behaviour_for(behaviours, channel, to, carrier).outcome.kind

    assert kind("SMS", "+15550") == "lost"
    assert kind("SMS", "+44", "blue") == "down"
    assert kind("SMS", "+44", "red") == "deliver"
    assert kind("EMAIL", "+15550") == "deliver"
    assert behaviour_for((), "EMAIL", "x") is DEFAULTS["EMAIL"]


@pytest.mark.parametrize("share", [0, 5, 50, 95, 100])
def test_a_share_is_that_share_of_recipients(share: float) -> None:
    hits = sum(in_share("0", f"user{n}@example.com", share) for n in range(10_000))
    # Five standard deviations of a binomial at most.
    assert abs(hits - share * 100) <= 250


def test_shares_of_different_rules_are_independent() -> None:
    people = [f"user{n}" for n in range(10_000)]
    both = sum(in_share("0", p, 50) and in_share("1", p, 50) for p in people)
    assert 2250 <= both <= 2750


@given(st.text(max_size=20), st.text(st.characters(), max_size=20))
def test_a_fraction_is_stable_and_in_range(salt: str, to: str) -> None:
    assert 0 <= fraction(salt, to) < 1
    assert fraction(salt, to) == fraction(salt, to)
