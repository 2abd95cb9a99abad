"""What webhooks are told, how it is signed, and what their answers say."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messaging.adapters.webhook import body_of, chunks, headers_of
from services.messaging.domain.families import lists_of
from services.messaging.domain.happenings import Told, happenings_of
from services.messaging.domain.ledger import Reason, State
from services.messaging.domain.outbound import Outbound, OutboundEmail, OutboundWebhook
from services.messaging.domain.outcomes import campaign_send_status
from services.messaging.domain.webhooks import (
    MOST_BYTES,
    CustomWords,
    Secret,
    WebhookCall,
    endpoint_document,
    head_of,
    in_force,
    key_of,
    owners_of,
    read_answer,
    secret_text,
    signature,
)

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
CAMPAIGN = {"CampaignId": "camp", "TreatmentId": "0", "ActivityId": "act"}
HEAD = head_of(CustomWords("https://x.example/", "hello", "2026-05-01T12:00:00Z"), "app", CAMPAIGN)
CALL = WebhookCall("https://x.example/", "app", HEAD, (b"k" * 32,))


def one(n: int, document: bytes = b"{}", call: WebhookCall = CALL) -> OutboundWebhook:
    return OutboundWebhook(f"m{n}", f"e{n}", document, call)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example that its libraries are tested with."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert key_of(secret_text(key)) == key


def test_every_secret_in_force_signs() -> None:
    both = signature([b"a", b"b"], "id", 1, b"{}")
    assert both.split(" ") == [signature([key], "id", 1, b"{}") for key in (b"a", b"b")]


def test_a_secret_signs_for_a_day_after_another_took_its_place() -> None:
    newest, middle, oldest = (
        Secret(name, NOW - timedelta(hours=hours))
        for name, hours in (("c", 1), ("b", 30), ("a", 90))
    )
    assert in_force([newest, middle, oldest], NOW) == [newest, middle]
    assert in_force([newest, middle, oldest], NOW + timedelta(hours=23)) == [newest]
    assert in_force([oldest], NOW + timedelta(days=365)) == [oldest]


def test_a_request_is_that_of_the_specification() -> None:
    body = json.loads(body_of([one(1, b'{"Address":"a"}'), one(2)]))
    assert body == {
        "Message": {},
        "Data": "hello",
        "ApplicationId": "app",
        "CampaignId": "camp",
        "TreatmentId": "0",
        "ActivityId": "act",
        "ScheduledTime": "2026-05-01T12:00:00Z",
        "Endpoints": {"e1": {"Address": "a"}, "e2": {}},
    }


def test_the_same_messages_have_the_same_id_whenever_they_come() -> None:
    first, again = headers_of([one(1), one(2)], b"{}"), headers_of([one(1), one(2)], b"{}")
    assert first["webhook-id"] == again["webhook-id"]
    assert first["x-touchpoint-message-ids"] == "m1,m2"
    assert headers_of([one(1)], b"{}")["webhook-id"] != first["webhook-id"]


def test_a_request_has_fifty_endpoints_at_most_and_none_twice() -> None:
    assert [len(chunk) for chunk in chunks([one(n) for n in range(120)])] == [50, 50, 20]
    assert [len(chunk) for chunk in chunks([one(1), one(1)])] == [1, 1]
    other = WebhookCall("https://y.example/", "app", HEAD, ())
    assert [len(chunk) for chunk in chunks([one(1), one(2, call=other)])] == [1, 1]


@given(st.lists(st.integers(0, 2_500_000), max_size=8))
def test_no_request_is_larger_than_six_megabytes(sizes: list[int]) -> None:
    messages: list[Outbound] = [
        one(n, json.dumps("x" * size).encode()) for n, size in enumerate(sizes)
    ]
    made = [*chunks(messages)]
    assert [message for chunk in made for message in chunk] == messages
    assert all(len(body_of(chunk)) <= MOST_BYTES for chunk in made)


def test_nothing_but_endpoints_goes_to_a_webhook() -> None:
    with pytest.raises(TypeError):
        [*chunks([OutboundEmail("m", "a@x", "b@x", b"")])]


def test_what_is_not_known_of_an_endpoint_is_left_out() -> None:
    known: dict[str, object] = {
        "Attributes": {},
        "User": {"UserId": None, "UserAttributes": {}},
        "Address": "a",
        "Metrics": {"n": 0.0},
        "Location": {"City": "Rome", "Country": ""},
    }
    assert endpoint_document(known) == {
        "Address": "a",
        "Metrics": {"n": 0.0},
        "Location": {"City": "Rome"},
    }


def test_an_answer_holds_attributes_by_endpoint() -> None:
    answer = {"e1": {"EventAttributes": {"tier": "gold", "n": "1"}}, "e2": {}}
    reading = read_answer(json.dumps(answer).encode())
    assert reading.is_whole
    assert reading.attributes == {"e1": (("tier", "gold"), ("n", "1")), "e2": ()}
    assert read_answer(b"").is_whole
    assert read_answer(b" {} ").is_whole


@pytest.mark.parametrize(
    "value",
    [
        {str(n): "x" for n in range(6)},
        {"n" * 129: "x"},
        {"n": "x" * 129},
        {"n": 1},
        {"": "x"},
        {"n": "\ud800"},
        [],
        "x",
        None,
    ],
)
def test_attributes_that_are_none_are_left_out_and_the_others_stay(value: Any) -> None:
    answer = {"bad": {"EventAttributes": value}, "good": {"EventAttributes": {"a": "b"}}}
    reading = read_answer(json.dumps(answer).encode())
    assert not reading.is_whole
    assert reading.attributes == {"good": (("a", "b"),)}


@pytest.mark.parametrize(
    "body", [b"OK", b"[]", b'"x"', b"{", b"\xff", b"[" * 100_000, b'{"e": 1}', b'{"e": []}']
)
def test_an_answer_that_says_something_else_says_nothing(body: bytes) -> None:
    reading = read_answer(body)
    assert (reading.attributes, reading.is_whole) == ({}, False)


@given(st.binary())
def test_no_answer_is_too_strange(body: bytes) -> None:
    assert set(read_answer(body).attributes.values()) <= {()}


def test_an_owner_may_name_several_applications() -> None:
    assert owners_of(" a, b ,,") == {"a", "b"}
    assert owners_of("") == frozenset()


def told(**changes: Any) -> Told:
    known: dict[str, Any] = {
        "message_id": "m",
        "client_id": "e",
        "user_id": "",
        "address": "a",
        "state": State.SENT,
        "reason": Reason.NONE,
        "detail": "",
        "parts": 0,
        "source": "",
    }
    return Told(**{**known, **changes})


def test_attributes_go_into_the_send_and_never_in_the_place_of_our_own() -> None:
    attributes = (("tier", "gold"), ("message_id", "forged"), ("delivery_type", "EMAIL"))
    [event] = happenings_of(
        told(attributes=attributes), "CUSTOM", NOW, campaign=True, delivers=True
    )
    assert (event.event_type, event.attributes) == (
        "_campaign.send",
        {
            "tier": "gold",
            "message_id": "m",
            "delivery_type": "CUSTOM",
            "campaign_send_status": "SUCCESS",
        },
    )


def test_a_failure_has_the_status_of_the_specification() -> None:
    status = campaign_send_status(State.FAILED, Reason.CUSTOM_DELIVERY_FAILURE)
    assert status == "CUSTOM_DELIVERY_FAILURE"


def test_who_said_stop_elsewhere_gets_nothing_by_webhook_either() -> None:
    assert set(lists_of("CUSTOM")) == {"CUSTOM", "EMAIL", "SMS"}
    assert lists_of("EMAIL") == ("EMAIL",)
