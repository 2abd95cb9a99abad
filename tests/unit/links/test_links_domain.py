"""Visits: which event they are, whether they count, where they may lead."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.links.domain import Kind, Link, hit, is_a_person, may_lead_to

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def link(kind: Kind, **more: str) -> Link:
    return Link(kind, "app", "m1", **{"endpoint_id": "e1", **more})


def test_an_event_carries_what_the_link_knows() -> None:
    full = link(Kind.CLICK, campaign_id="c", activity_id="a", treatment_id="1", url="https://x/y")
    made = hit(full, NOON, "Mail/1.0")
    assert (made.event_type, made.app_id, made.client_id) == ("_email.click", "app", "e1")
    assert made.event_time == NOON
    assert made.attributes == {
        "message_id": "m1",
        "campaign_id": "c",
        "campaign_activity_id": "a",
        "treatment_id": "1",
        "feedback": "https://x/y",
        "user_agent": "Mail/1.0",
    }


def test_absent_facts_are_left_out_and_long_ones_cut() -> None:
    made = hit(link(Kind.OPEN, endpoint_id="", address="a@example.com"), NOON, "x" * 500)
    assert made.client_id == "a@example.com"
    assert set(made.attributes) == {"message_id", "feedback", "user_agent"}
    assert len(made.attributes["user_agent"]) == 200


@settings(deadline=None)  # a busy machine is no failure
@given(st.integers(0, 3599), st.integers(0, 3599))
def test_opens_of_one_clock_hour_are_one_event(first: int, second: int) -> None:
    ids = {hit(link(Kind.OPEN), NOON + timedelta(seconds=s)).event_id for s in (first, second)}
    assert len(ids) == 1


def test_opens_of_two_hours_or_two_messages_are_two() -> None:
    other = Link(Kind.OPEN, "app", "m2")
    ids = {
        hit(link(Kind.OPEN), NOON).event_id,
        hit(link(Kind.OPEN), NOON + timedelta(hours=1)).event_id,
        hit(other, NOON).event_id,
    }
    assert len(ids) == 3


def test_every_click_is_an_event_of_its_own() -> None:
    one, two = link(Kind.CLICK, url="https://x/1"), link(Kind.CLICK, url="https://x/2")
    later = NOON + timedelta(milliseconds=1)
    ids = [hit(one, NOON).event_id, hit(one, later).event_id, hit(two, NOON).event_id]
    assert len(set(ids)) == 3
    assert hit(one, NOON).event_id == ids[0]


def test_an_unsubscription_happens_once_a_message() -> None:
    first = hit(link(Kind.UNSUBSCRIBE), NOON)
    again = hit(link(Kind.UNSUBSCRIBE), NOON + timedelta(days=3))
    assert first.event_id == again.event_id
    assert first.event_id != hit(link(Kind.OPEN), NOON).event_id


@pytest.mark.parametrize(
    ("method", "headers", "counts"),
    [
        ("GET", {}, True),
        ("GET", {"user-agent": "Mozilla/5.0"}, True),
        ("HEAD", {}, False),
        ("GET", {"sec-purpose": "prefetch;prerender"}, False),
        ("GET", {"purpose": "Prefetch"}, False),
        ("GET", {"x-moz": "prefetch"}, False),
        ("GET", {"x-purpose": "preview"}, False),
    ],
)
def test_only_people_count(method: str, headers: dict[str, str], counts: bool) -> None:  # noqa: FBT001
    assert is_a_person(method, headers) is counts


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://example.com/a?b=c#d", True),
        ("http://example.com", True),
        ("HTTPS://EXAMPLE.COM/", True),
        ("https://münchen.example/straße", True),
        ("//example.com", False),
        ("/relative", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("ftp://example.com", False),
        ("https://", False),
        ("https:///path", False),
        ("https://example.com/\r\nset-cookie: a=b", False),
        ("https://example.com/a b", False),
        ("https:\\\\example.com", False),
        ("https://[::1", False),
        ("", False),
    ],
)
def test_clicks_lead_to_web_pages_only(url: str, fine: bool) -> None:  # noqa: FBT001
    assert may_lead_to(url) is fine
