"""Frames agree with protobuf itself, in both directions, and refuse what is no EventBatch."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from touchpoint.analytics.v1.event_pb2 import Event
from touchpoint.analytics.v1.events_pb2 import EventBatch

from services.analytics.domain.frames import NotFrames, joined, taken_apart

EVENTS = st.lists(
    st.builds(
        Event,
        event_id=st.text(max_size=10),
        client_id=st.sampled_from(["", "x" * 100, "y" * 20_000]),
        attributes=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    ),
    max_size=8,
)


@settings(deadline=None)  # a busy machine is no failure
@given(EVENTS)
def test_what_is_joined_is_an_event_batch(events: list[Event]) -> None:
    body = joined(event.SerializeToString() for event in events)
    assert list(EventBatch.FromString(body).events) == events


@settings(deadline=None)  # a busy machine is no failure
@given(EVENTS, EVENTS)
def test_an_event_batch_comes_apart(first: list[Event], second: list[Event]) -> None:
    body = EventBatch(events=first).SerializeToString()
    body += EventBatch(events=second).SerializeToString()
    assert [Event.FromString(one) for one in taken_apart(body)] == [*first, *second]


@settings(deadline=None)  # a busy machine is no failure
@given(EVENTS.filter(bool), st.integers(1, 20))
def test_what_is_cut_off_is_refused(events: list[Event], cut: int) -> None:
    body = EventBatch(events=[*events, Event(client_id="z" * 50)]).SerializeToString()
    with pytest.raises(NotFrames):
        list(taken_apart(body[:-cut]))


@pytest.mark.parametrize("body", [b"\x12\x00", b"\x0a", b"\x0a\x80", b"\x0a" + b"\xff" * 9, b"xyz"])
def test_other_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(NotFrames):
        list(taken_apart(body))
