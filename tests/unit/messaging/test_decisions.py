"""Decisions: every reason has its words, every row one stage, and the way is told in order."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.messaging.domain.decisions import (
    WAY,
    Stage,
    Standing,
    standings_of,
    steps_of,
    verdict_of,
)
from services.messaging.domain.ledger import Origin, Reason, Row, State

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROW = Row(
    "m", Origin("app", "camp", "act"), "d", "b", "EMAIL", "e", "a@x.example", "0", "PROMOTIONAL",
    State.SENT, Reason.NONE, "", 1, 1, ("id",), NOW, NOW, None,
)  # fmt: skip
rows = st.builds(
    lambda state, reason, ids, campaign: replace(
        ROW, state=state, reason=reason, provider_ids=ids, origin=Origin("app", campaign)
    ),
    st.sampled_from(State),
    st.sampled_from(Reason),
    st.sampled_from([(), ("id",)]),
    st.sampled_from(["", "camp"]),
)


@given(rows)
@example(replace(ROW, state=State.FAILED))
def test_every_row_is_explained_and_found_under_the_stage_it_is_told_of(row: Row) -> None:
    stage = verdict_of(row).stage
    assert verdict_of(row).explanation.endswith((".", "UTC."))
    assert [one for one in Stage if any(_holds(s, row) for s in standings_of(one))] == [stage]


def _holds(standing: Standing, row: Row) -> bool:
    return (
        (not standing.states or row.state in standing.states)
        and (not standing.reasons or row.reason in standing.reasons)
        and (standing.is_taken is None or standing.is_taken == bool(row.provider_ids))
    )


@given(rows)
def test_the_way_is_told_in_order_and_ends_with_the_decision(row: Row) -> None:
    steps = steps_of(row)
    assert [step.passed for step in steps[:-1]] == [True] * (len(steps) - 1)
    assert steps[-1].stage is verdict_of(row).stage
    before = [WAY.index(step.stage) for step in steps[:-1]]
    assert before == sorted(set(before))
    assert steps[-1].passed == (row.state in {State.SENT, State.DELIVERED})
    if not row.origin.campaign_id:
        assert Stage.AUDIENCE not in {step.stage for step in steps[:-1]}


@pytest.mark.parametrize(
    ("changes", "stage", "words"),
    [
        ({"reason": Reason.HOLDOUT, "state": State.SKIPPED}, "AUDIENCE", "control group"),
        ({"reason": Reason.SUPPRESSED, "state": State.SKIPPED}, "GATE", "suppression list"),
        ({"reason": Reason.DEAD_TOKEN, "state": State.SKIPPED}, "PROVIDER", "token is dead"),
        ({"reason": Reason.UNREACHABLE, "state": State.FAILED}, "RECEIPT", "could not be reached"),
        ({"state": State.RETRY, "attempts": 2}, "PROVIDER", "tried 2 times."),
        ({"state": State.RETRY, "due_time": NOW}, "PROVIDER", "at 2026-01-01 00:00:00 UTC."),
        ({"state": State.RETRY, "detail": "450 busy"}, "PROVIDER", "Details: 450 busy"),
        ({"state": State.HELD}, "OPERATOR", "held by an operator"),
        ({"state": State.DELIVERED}, "RECEIPT", "arrived"),
    ],
)  # fmt: skip
def test_words_hold_the_facts(changes: dict[str, object], stage: str, words: str) -> None:
    verdict = verdict_of(replace(ROW, **changes))  # type: ignore[arg-type]
    assert verdict.stage == stage
    assert words in verdict.explanation
