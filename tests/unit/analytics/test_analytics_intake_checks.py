"""What may come in: the limits of spec 3.1, one case each on both sides of every edge."""

from dataclasses import dataclass, field

import pytest

from services.analytics.domain.intake import client_fault, event_fault, session_fault
from services.analytics.domain.names import FROM_CLIENTS, OUTCOMES

DAY = 86_400


@dataclass
class Sent:
    event_type: str = "level_complete"
    attributes: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


def keys(count: int) -> dict[str, str]:
    return {f"k{n}": "v" for n in range(count)}


@pytest.mark.parametrize(
    ("event", "names"),
    [
        (Sent(), ""),
        (Sent("_session.start"), ""),
        (Sent("_monetization.purchase"), ""),
        (Sent("_campaign.opened_notification"), ""),
        (Sent("_session.begin"), "event_type"),
        (Sent("_"), "event_type"),
        (Sent(""), "event_type"),
        (Sent("x" * 50), ""),
        (Sent("x" * 51), "event_type"),
        (Sent(attributes={"k" * 50: "v" * 200}), ""),
        (Sent(attributes={"k" * 51: "v"}), "attributes"),
        (Sent(attributes={"": "v"}), "attributes"),
        (Sent(attributes={"k": "v" * 201}), "attributes"),
        (Sent(metrics={"k" * 51: 1.0}), "metrics"),
        (Sent(metrics={"": 1.0}), "metrics"),
        (Sent(metrics={"k": float("nan")}), "metrics"),
        (Sent(metrics={"k": float("inf")}), "metrics"),
        (Sent(metrics={"k": -1e300}), ""),
        (Sent(attributes=keys(40)), ""),
        (Sent(attributes=keys(41)), "attributes, metrics"),
        (Sent(attributes=keys(40), metrics={"m": 1.0}), "attributes, metrics"),
    ],
)
def test_the_content_of_an_event(event: Sent, names: str) -> None:
    assert event_fault("id", event, 0).partition(":")[0] == names


@pytest.mark.parametrize(
    ("age", "names"),
    [
        (0, ""),
        (90 * DAY, ""),
        (90 * DAY + 1, "event_time"),
        (-DAY, ""),
        (-DAY - 1, "event_time"),
        (1_790_000_000, "event_time"),  # no time at all is 1970
    ],
)
def test_the_time_of_an_event(age: int, names: str) -> None:
    assert event_fault("id", Sent(), age).partition(":")[0] == names


@pytest.mark.parametrize(
    ("event_id", "fine"), [("", False), ("x", True), ("x" * 100, True), ("x" * 101, False)]
)
def test_the_id_of_an_event(event_id: str, fine: bool) -> None:  # noqa: FBT001
    assert (event_fault(event_id, Sent(), 0) == "") is fine


@pytest.mark.parametrize(
    ("endpoint_id", "fine"),
    [
        ("a", True),
        ("x" * 100, True),
        ("user@example.com", True),
        ("", False),
        ("x" * 101, False),
        ("a$b", False),
        ("a{b", False),
        ("a}b", False),
    ],
)
def test_the_id_of_an_endpoint(endpoint_id: str, fine: bool) -> None:  # noqa: FBT001
    assert (client_fault(endpoint_id) == "") is fine


@pytest.mark.parametrize(
    ("session_id", "started", "duration", "names"),
    [
        ("s", True, 0, ""),
        ("s", True, 60_000, ""),
        ("", True, 0, "session.session_id"),
        ("s", False, 0, "session.start_time"),
        ("s", True, -1, "session.duration_milliseconds"),
    ],
)
def test_a_session(session_id: str, started: bool, duration: int, names: str) -> None:  # noqa: FBT001
    fault = session_fault(session_id, started=started, duration_milliseconds=duration)
    assert fault.partition(":")[0] == names


def test_every_standard_name_may_be_sent() -> None:
    seen = ("opened_notification", "received_foreground", "received_background")
    expected = {f"_session.{n}" for n in ("start", "stop", "pause", "resume")}
    expected |= {f"_userauth.{n}" for n in ("sign_in", "sign_up", "auth_fail")}
    expected |= {"_monetization.purchase", "_screen_view"}
    expected |= {f"{of}.{n}" for of in ("_campaign", "_journey") for n in seen}
    assert expected == FROM_CLIENTS
    assert {event_fault("id", Sent(name), 0) for name in expected} == {""}


@pytest.mark.parametrize(
    "name",
    [
        *sorted(OUTCOMES),
        *("_email.open", "_email.click", "_email.complaint", "_email.unsubscribe"),
        *("_SMS.OPTOUT", "_SMS.SEND", "_SMS.RECEIVED", "_push.send", "_email.", "_Session.start"),
    ],
)
def test_what_services_tell_may_not_be_sent(name: str) -> None:
    fault = event_fault("id", Sent(name), 0)
    assert fault.startswith("event_type: ")
    assert "EventType" in fault
