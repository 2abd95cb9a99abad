"""The ledger's states: which may follow which, and ids that follow from what they name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from touchpoint.messaging.v1 import message_pb2

from libs.ids import derived_id
from services.messaging.domain.batches import Place, sort_known
from services.messaging.domain.dispatch import Control, may_follow, seconds_left
from services.messaging.domain.ledger import (
    FINAL,
    OPEN,
    RECEIVABLE,
    TRANSITIONS,
    WAITING,
    MessageIds,
    Reason,
    State,
    may_become,
    sources_of,
)

S = State
ALLOWED = {
    (S.QUEUED, S.CLAIMED),
    (S.QUEUED, S.HELD),
    (S.QUEUED, S.CANCELLED),
    (S.QUEUED, S.SKIPPED),
    (S.QUEUED, S.FAILED),
    (S.CLAIMED, S.SENT),
    (S.CLAIMED, S.DELIVERED),
    (S.CLAIMED, S.FAILED),
    (S.CLAIMED, S.SKIPPED),
    (S.CLAIMED, S.RETRY),
    (S.CLAIMED, S.QUEUED),
    (S.CLAIMED, S.UNKNOWN),
    (S.RETRY, S.QUEUED),
    (S.RETRY, S.HELD),
    (S.RETRY, S.CANCELLED),
    (S.RETRY, S.SKIPPED),
    (S.HELD, S.QUEUED),
    (S.HELD, S.CANCELLED),
    (S.HELD, S.SKIPPED),
    (S.UNKNOWN, S.QUEUED),
    (S.UNKNOWN, S.FAILED),
    (S.UNKNOWN, S.SENT),
    (S.UNKNOWN, S.DELIVERED),
    (S.SENT, S.DELIVERED),
    (S.SENT, S.FAILED),
}


@pytest.mark.parametrize("old", State)
@pytest.mark.parametrize("new", State)
def test_a_state_may_follow_another_exactly_when_the_design_says_so(old: State, new: State) -> None:
    assert may_become(old, new) is ((old, new) in ALLOWED)
    assert (old in sources_of(new)) is ((old, new) in ALLOWED)


def test_every_state_can_come_to_an_end() -> None:
    reached = set(FINAL)
    while grown := {old for old in OPEN - reached if TRANSITIONS[old] & reached}:
        reached |= grown
    assert reached == set(State)
    assert not FINAL & OPEN


def test_nothing_that_was_sent_can_be_queued_or_claimed_again() -> None:
    for state in (S.SENT, S.DELIVERED, S.FAILED, S.SKIPPED, S.CANCELLED):
        assert not TRANSITIONS[state] & (WAITING | {S.CLAIMED, S.UNKNOWN})


def test_a_receipt_never_moves_a_state_backwards() -> None:
    assert sources_of(S.DELIVERED) == RECEIVABLE
    assert S.DELIVERED not in sources_of(S.FAILED)


def test_states_and_reasons_are_those_of_the_wire() -> None:
    states = {
        name.removeprefix("MESSAGE_STATE_")
        for name in message_pb2.MessageState.DESCRIPTOR.values_by_name
    }
    reasons = {
        name.removeprefix("MESSAGE_REASON_")
        for name in message_pb2.MessageReason.DESCRIPTOR.values_by_name
    }
    assert {state.value for state in State} == states - {"UNSPECIFIED"}
    assert {reason.value for reason in Reason} == (reasons - {"UNSPECIFIED"}) | {""}


@given(st.text(max_size=40), st.text(max_size=10), st.text(max_size=60))
def test_message_ids_are_the_derived_ids_of_their_parts(
    dispatch_id: str, channel_type: str, rest: str
) -> None:
    ids = MessageIds(dispatch_id, channel_type)
    assert ids.of_address(rest) == derived_id(dispatch_id, channel_type, rest)
    assert ids.of_address(rest) == ids.of_address(rest)
    assert ids.of_endpoint(rest) == derived_id(dispatch_id, channel_type, "endpoint", rest)


def test_known_rows_are_sorted_into_repeats_and_duplicates() -> None:
    recipients = [
        ("new", "e1", "a"),
        ("here", "e2", "b"),
        ("elsewhere", "e3", "c"),
        ("taken", "e4", "d"),
    ]
    known = {
        "here": Place("E2", "this"),
        "elsewhere": Place("e3", "other"),
        "taken": Place("e5", "other"),
    }
    found = sort_known("this", recipients, known)
    assert found.stay == {"new", "here"}
    assert found.duplicates == {"taken"}
    assert found.repeated == 2


@given(
    st.lists(
        st.tuples(
            st.integers(0, 8).map(str), st.sampled_from("abc"), st.sampled_from(["this", "other"])
        ),
        unique_by=lambda one: one[0],
    ),
    st.dictionaries(
        st.integers(0, 8).map(str),
        st.builds(Place, st.sampled_from("abc"), st.sampled_from(["this", "other"])),
    ),
)
def test_every_recipient_is_counted_once(
    recipients: list[tuple[str, str, str]], known: dict[str, Place]
) -> None:
    found = sort_known("this", recipients, known)
    ids = {one[0] for one in recipients}
    assert found.stay | found.duplicates <= ids
    assert not found.stay & found.duplicates
    new = len(ids - known.keys())
    assert new + found.repeated + len(found.duplicates) == len(ids)
    assert ids - known.keys() <= found.stay


@pytest.mark.parametrize("new", Control)
def test_a_cancelled_dispatch_stays_cancelled(new: Control) -> None:
    assert may_follow(Control.CANCEL, new) is (new is Control.CANCEL)
    assert may_follow(Control.HOLD, new)
    assert may_follow(Control.RELEASE, new)


def test_the_estimate_is_that_of_the_slowest_channel() -> None:
    waiting = [
        (S.QUEUED, "SMS", 61),
        (S.HELD, "SMS", 20),
        (S.SENT, "SMS", 1000),
        (S.QUEUED, "EMAIL", 500),
        (S.UNKNOWN, "EMAIL", 1000),
    ]
    assert seconds_left(waiting, {"SMS": 20.0}) == 5
    assert seconds_left(waiting, {"SMS": 20.0, "EMAIL": 50.0}) == 10
    assert seconds_left(waiting, {}) == 0
