"""When a campaign is stopped by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messaging.domain.guard import Thresholds, why_stopped
from services.messaging.domain.ledger import Reason, State

USUAL = Thresholds(least=200)
NEVER = Thresholds(0, 0, 0, 1)
Counts = list[tuple[State, Reason, int]]
counts = st.lists(
    st.tuples(st.sampled_from(State), st.sampled_from(Reason), st.integers(0, 1000)), max_size=8
)


@pytest.mark.parametrize(
    ("standing", "complaints", "begins"),
    [
        ([(State.SENT, Reason.NONE, 1000)], 0, ""),
        ([(State.SENT, Reason.NONE, 900), (State.FAILED, Reason.HARD_BOUNCE, 100)], 0, ""),
        ([(State.SENT, Reason.NONE, 899), (State.FAILED, Reason.HARD_BOUNCE, 101)], 0, "bounces"),
        ([(State.DELIVERED, Reason.NONE, 1000)], 5, ""),
        ([(State.DELIVERED, Reason.NONE, 1000)], 6, "complaints: 6 of 1000 are 0.6 %"),
        ([(State.SENT, Reason.NONE, 99), (State.FAILED, Reason.PERMANENT_FAILURE, 101)], 0, "fail"),
        ([(State.FAILED, Reason.HARD_BOUNCE, 199)], 0, ""),
        ([(State.SKIPPED, Reason.SUPPRESSED, 5000), (State.SENT, Reason.NONE, 10)], 0, ""),
    ],
)
def test_above_a_threshold_it_says_which(standing: Counts, complaints: int, begins: str) -> None:
    why = why_stopped(standing, complaints, USUAL)
    assert why.startswith(begins) if begins else why == ""


@given(counts, st.integers(0, 100))
def test_a_threshold_of_zero_never_stops(standing: Counts, complaints: int) -> None:
    assert why_stopped(standing, complaints, NEVER) == ""


@given(counts)
def test_more_that_is_sent_never_stops_what_went_on(standing: Counts) -> None:
    if not why_stopped(standing, 0, USUAL) and sum(count for _, _, count in standing) >= 1000:
        tried = [one for one in standing if one[0] in {State.SENT, State.DELIVERED, State.FAILED}]
        if sum(count for _, _, count in tried) >= USUAL.least:
            assert not why_stopped([*standing, (State.SENT, Reason.NONE, 500)], 0, USUAL)
