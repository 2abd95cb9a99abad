"""Counting: what a key is made of, what counts once, and that batches and repeats do not matter."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analytics.domain.counting import (
    Fact,
    Facts,
    Figures,
    Key,
    mark_scope,
    marks_of,
    record_id,
    tally,
)
from services.analytics.domain.names import OUTCOMES

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True)
class Happened:
    event_id: str = "1"
    event_type: str = "bought"
    application_id: str = "app"
    client_id: str = "e1"
    attributes: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


def fact(seconds: int = 0, **more: Any) -> Fact:
    return Facts().of(Happened(**more), seconds)


def test_a_custom_event_is_counted_by_name_and_day() -> None:
    made = fact(3 * DAY + 5, attributes={"record_status": "X", "treatment_id": "1"})
    assert made == Fact(Key("app", "", "", "", "bought", "", "", "", 3))


def test_equal_custom_events_share_their_fact() -> None:
    facts = Facts()
    assert facts.of(Happened("1"), 5) is facts.of(Happened("2", client_id="e2"), 6)
    assert facts.of(Happened("1"), 5) != facts.of(Happened("1"), 5 + DAY)


def test_a_campaign_send_is_counted_by_channel_and_status() -> None:
    made = fact(
        event_type="_campaign.send",
        attributes={
            "campaign_id": "c",
            "campaign_activity_id": "a",
            "treatment_id": "1",
            "message_id": "m",
            "delivery_type": "EMAIL",
            "campaign_send_status": "DAILY_CAP",
        },
    )
    key = Key("app", "c", "a", "1", "_campaign.send", "EMAIL", "DAILY_CAP", "", 0)
    assert made == Fact(key, single=True)


@pytest.mark.parametrize("name", sorted(OUTCOMES))
def test_the_outcome_of_a_message_counts_once_without_a_mark(name: str) -> None:
    told = {"message_id": "m", "campaign_id": "c", "campaign_activity_id": "a"}
    made = fact(event_type=name, attributes=told)
    assert made.single
    assert marks_of([made]) == set()
    assert tally([made], ())[made.key] == Figures(count=1, unique=1, parts=made.parts)
    del told["message_id"]  # whose it is cannot be told: the endpoint is marked
    unknown = fact(event_type=name, attributes=told)
    assert not unknown.single
    assert marks_of([unknown]) == {unknown.unique_mark}


@pytest.mark.parametrize(
    "name", ["_email.open", "_email.click", "_campaign.opened_notification", "bought"]
)
def test_what_may_happen_again_counts_by_its_mark(name: str) -> None:
    told = {"message_id": "m", "campaign_id": "c", "campaign_activity_id": "a"}
    made = fact(event_type=name, attributes=told)
    assert not made.single
    assert made.unique_mark
    assert tally([made], ())[made.key].unique == 0
    assert tally([made, made], marks_of([made]))[made.key].unique == 1


def test_a_text_message_is_counted_by_status_country_parts_and_price() -> None:
    made = fact(
        event_type="_SMS.SUCCESS",
        attributes={
            "record_status": "DELIVERED",
            "iso_country_code": "DE",
            "number_of_message_parts": "3",
            "message_id": "m",
        },
        metrics={"price_in_millicents_usd": 645.0},
    )
    assert made.key == Key("app", "", "", "", "_SMS.SUCCESS", "SMS", "DELIVERED", "DE", 0)
    assert (made.parts, made.price) == (3, 645.0)
    assert made.single


def test_nonsense_in_the_parts_counts_as_one() -> None:
    for text in ("", "x", "-1", "1.5", "²", "9999"):
        told = {"number_of_message_parts": text}
        assert fact(event_type="_SMS.SUCCESS", attributes=told).parts == 1


def click(seconds: int, **attributes: str) -> Fact:
    told = {"message_id": "m", "feedback": "https://x", **attributes}
    return fact(seconds, event_type="_email.click", attributes=told)


def test_clicks_of_one_link_in_one_clock_hour_share_their_mark() -> None:
    assert click(0).hourly_mark == click(HOUR - 1).hourly_mark
    others = [
        click(HOUR),
        click(0, feedback="https://y"),
        click(0, message_id="n"),
        fact(0, event_type="_email.open", attributes={"message_id": "m", "feedback": "https://x"}),
    ]
    assert all(click(0).hourly_mark != other.hourly_mark for other in others)


def test_a_direct_message_is_unique_by_itself_a_campaign_by_its_activity() -> None:
    assert click(0).unique_mark == click(99 * HOUR, feedback="https://y").unique_mark
    first = click(0, campaign_id="c", campaign_activity_id="a")
    second = click(0, campaign_id="c", campaign_activity_id="a", message_id="other")
    third = click(0, campaign_id="c", campaign_activity_id="b")
    assert first.unique_mark == second.unique_mark
    assert first.unique_mark != third.unique_mark


def test_marks_of_an_application_are_one_range() -> None:
    assert click(0).unique_mark.startswith(mark_scope("app"))
    assert click(0).hourly_mark.startswith(mark_scope("app"))
    assert mark_scope("app") != mark_scope("app2")


def test_ids_are_stable_and_do_not_run_together() -> None:
    assert record_id(Happened()) == record_id(Happened(event_type="other"))
    ids = {
        record_id(Happened("c", client_id="ab")),
        record_id(Happened("bc", client_id="a")),
        record_id(Happened("c", client_id="b", application_id="a")),
        record_id(Happened("", client_id="abc")),
    }
    assert len(ids) == 4


class Store:
    """The store's rules in memory: known ids and marks, counters that only grow."""

    def __init__(self) -> None:
        self.events: set[bytes] = set()
        self.marks: set[bytes] = set()
        self.sums: dict[Key, Figures] = {}

    def take(self, batch: list[Happened]) -> None:
        distinct = {record_id(event): event for event in batch}
        new = {i: event for i, event in distinct.items() if i not in self.events}
        facts = [Facts().of(event, int(event.event_id) * 600) for event in new.values()]
        marks = marks_of(facts) - self.marks
        for key, figures in tally(facts, marks).items():
            into = self.sums.setdefault(key, Figures())
            for name in Figures.__slots__:
                setattr(into, name, getattr(into, name) + getattr(figures, name))
        self.events |= set(new)
        self.marks |= marks

    def totals(self) -> dict[str, tuple[float, ...]]:
        found: dict[str, tuple[float, ...]] = {}
        for key, figures in self.sums.items():
            values = tuple(float(getattr(figures, name)) for name in Figures.__slots__)
            before = found.get(key.event_type, (0.0,) * len(values))
            found[key.event_type] = tuple(a + b for a, b in zip(before, values, strict=True))
        return found


HAPPENED = st.builds(
    Happened,
    event_id=st.integers(0, 40).map(str),
    event_type=st.sampled_from(["bought", "_email.click", "_email.open", "_SMS.SUCCESS"]),
    client_id=st.sampled_from(["e1", "e2"]),
    attributes=st.fixed_dictionaries(
        {
            "campaign_id": st.sampled_from(["", "c"]),
            "campaign_activity_id": st.sampled_from(["a", "b"]),
            "message_id": st.sampled_from(["m", "n"]),
            "number_of_message_parts": st.sampled_from(["1", "2"]),
        }
    ),
    metrics=st.fixed_dictionaries({"price_in_millicents_usd": st.sampled_from([100.0, 250.0])}),
)


def _one_meaning(events: list[Happened]) -> list[Happened]:
    # An id names one event; what a sender repeats is the same.
    return list({(e.client_id, e.event_id): e for e in events}.values())


@settings(deadline=None)  # a busy machine is no failure
@given(
    events=st.lists(HAPPENED, max_size=60).map(_one_meaning),
    cuts=st.lists(st.integers(0, 60), max_size=8),
    data=st.data(),
)
def test_counts_do_not_depend_on_batches_order_or_repeats(
    events: list[Happened], cuts: list[int], data: st.DataObject
) -> None:
    at_once = Store()
    at_once.take(events)
    repeats = data.draw(st.lists(st.sampled_from(events), max_size=20)) if events else []
    shuffled = data.draw(st.permutations([*events, *repeats]))
    in_parts, last = Store(), 0
    for cut in [*sorted(cuts), len(shuffled)]:
        batch = shuffled[last:cut]
        in_parts.take(batch)
        in_parts.take(batch[: len(batch) // 2])  # delivered again by the broker
        last = max(last, cut)
    assert in_parts.totals() == at_once.totals()
    assert sum(t[0] for t in at_once.totals().values()) == len(events)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(HAPPENED, max_size=60).map(_one_meaning))
def test_the_sums_of_a_batch_are_those_of_a_plain_count(events: list[Happened]) -> None:
    store = Store()
    store.take(events)
    expected = Counter(event.event_type for event in events)
    assert {name: total[0] for name, total in store.totals().items()} == dict(expected)
    clicks = [e for e in events if e.event_type == "_email.click"]
    hours = {(e.attributes["message_id"], int(e.event_id) * 600 // HOUR) for e in clicks}
    scopes = {(e.attributes["campaign_activity_id"], e.client_id) for e in clicks}
    _, unique, hourly, *_ = store.totals().get("_email.click", (0.0,) * 5)
    assert hourly == len(hours)
    sms_count, sms_unique, *_ = store.totals().get("_SMS.SUCCESS", (0.0,) * 5)
    assert sms_unique == sms_count
    assert unique == len(scopes)
