"""Direct sends: each recipient's result, in the words of spec 6.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from touchpoint.messaging.v1 import messaging_service_pb2 as pb

from services.messaging.domain.direct import (
    STATUS_CODES,
    DeliveryStatus,
    Gates,
    Reached,
    Result,
    Target,
    admitted,
    permanent,
    resolve,
    temporary,
)
from services.messaging.domain.recipients import EMAIL, SMS

D = DeliveryStatus
OPEN = Gates(frozenset({EMAIL, SMS}), {}, frozenset({EMAIL, SMS}), frozenset(), frozenset(), {})
PHONE = "+12065550142"


def email(address: str = "ann@shop.example", **more: object) -> Target:
    return Target("addresses['x']", EMAIL, address, **more)  # type: ignore[arg-type]


def text(address: str = PHONE, **more: object) -> Target:
    return Target("addresses['x']", SMS, address, **more)  # type: ignore[arg-type]


def at_endpoint(**more: object) -> Target:
    endpoint = Reached("E1", EMAIL, "ann@shop.example", **more)  # type: ignore[arg-type]
    return Target("endpoints['e1']", EMAIL, "ann@shop.example", endpoint)


def gates(**more: object) -> Gates:
    values = {
        "contents": OPEN.contents,
        "away": {},
        "enabled": OPEN.enabled,
        "held": OPEN.held,
        "opted_out": frozenset(),
        "suppressed": {},
    }
    return Gates(**{**values, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "gate", "status", "names"),
    [
        (email("nobody"), OPEN, D.PERMANENT_FAILURE, "addresses['x'].address"),
        (text("+1"), OPEN, D.PERMANENT_FAILURE, "addresses['x'].address"),
        (Target("x", "CUSTOM", "t"), OPEN, D.PERMANENT_FAILURE, "x.channel_type"),
        (email(""), OPEN, D.PERMANENT_FAILURE, "address: is missing"),
        (at_endpoint(opted_out=True), OPEN, D.OPT_OUT, "endpoints['e1']"),
        (at_endpoint(), gates(opted_out=frozenset({"e1"})), D.OPT_OUT, "endpoints['e1']"),
        (at_endpoint(inactive=True), OPEN, D.PERMANENT_FAILURE, "endpoint_status"),
        (
            email(),
            gates(contents=frozenset({SMS})),
            D.PERMANENT_FAILURE,
            "message_configuration.email_message",
        ),
        (
            email(),
            gates(contents=frozenset({SMS}), away={EMAIL: temporary("templates")}),
            D.TEMPORARY_FAILURE,
            "templates",
        ),
        (email(), gates(enabled=frozenset({SMS})), D.PERMANENT_FAILURE, "channel_type"),
        (text(), gates(suppressed={(SMS, PHONE): "OPERATOR"}), D.OPT_OUT, "opt-out list"),
        (
            email(),
            gates(suppressed={(EMAIL, "ann@shop.example"): "STOP_KEYWORD"}),
            D.OPT_OUT,
            "opt-out list",
        ),
        (email(fault=permanent("here", "why")), OPEN, D.PERMANENT_FAILURE, "here: why"),
    ],
)
def test_a_refusal_says_what_and_where(
    target: Target, gate: Gates, status: DeliveryStatus, names: str
) -> None:
    (result,) = resolve([target], gate)
    assert result is not None
    assert result.status is status
    assert names in result.message


def test_nobody_is_refused_without_a_cause() -> None:
    assert resolve([email(), text(), at_endpoint()], OPEN)[:2] == [None, None]


def test_a_bounced_email_address_is_accepted_and_dropped_later() -> None:
    listed = gates(suppressed={(EMAIL, "ann@shop.example"): "BOUNCE"})
    assert resolve([email()], listed) == [None]


def test_a_text_of_its_own_needs_no_content() -> None:
    silent = gates(contents=frozenset())
    assert resolve([email(body_override="Hello")], silent) == [None]


def test_an_address_gets_one_message_a_call() -> None:
    results = resolve([email("Ann@shop.example"), email("ann@shop.example")], OPEN)
    assert results[0] is None
    assert results[1] is not None
    assert results[1].status is D.DUPLICATE


def test_a_refused_recipient_does_not_take_the_address() -> None:
    results = resolve([at_endpoint(opted_out=True), email()], OPEN)
    assert results[0] is not None
    assert results[1] is None


def test_every_status_has_the_code_of_the_specification() -> None:
    assert {status.value: code for status, code in STATUS_CODES.items()} == {
        "SUCCESSFUL": 200,
        "THROTTLED": 429,
        "TEMPORARY_FAILURE": 503,
        "PERMANENT_FAILURE": 400,
        "OPT_OUT": 400,
        "DUPLICATE": 400,
    }
    for status in DeliveryStatus:
        assert pb.DeliveryStatus.Value(f"DELIVERY_STATUS_{status}")
        assert Result(status, "").status_code == STATUS_CODES[status]


def test_a_message_is_never_admitted_in_halves() -> None:
    assert admitted([1, 3, 1], 3) == [True, False, False]
    assert admitted([1, 1, 1], 2) == [True, True, False]


@given(st.lists(st.integers(1, 5)), st.integers(0, 40))
def test_admission_keeps_to_what_was_granted(parts: list[int], granted: int) -> None:
    fits = admitted(parts, granted)
    assert len(fits) == len(parts)
    assert sum(count for count, fit in zip(parts, fits, strict=True) if fit) <= granted
    assert all(fits) is (sum(parts) <= granted)
    assert sorted(fits, reverse=True) == fits
