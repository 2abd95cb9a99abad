"""Callbacks of Twilio: the signature as Twilio documents it, and what statuses mean."""

import asyncio
from urllib.parse import urlencode

import pytest

from libs.errors import SignatureInvalid
from services.messaging.adapters.twilio_callbacks import signature, twilio_reports
from services.messaging.domain.accounts import twilio_key
from services.messaging.domain.callbacks import Callback, Channel, Report
from services.messaging.domain.channels import EmailChannel, SmsChannel, Twilio
from services.messaging.domain.ledger import Reason, Receipt, State

SID, TOKEN = "AC" + "1" * 32, "token of the account"
OTHER = "AC" + "2" * 32
URL = "https://links.example/callbacks/twilio/app/sms?message_id=m1"
SMS = SmsChannel(
    enabled=True, twilio=Twilio(SID, TOKEN), fallbacks=(Twilio(OTHER, "another token"),)
)


def called(form: dict[str, str], token: str = TOKEN, url: str = URL) -> Callback:
    headers = {"x-twilio-signature": signature(token, url, form.items())}
    return Callback("app", "SMS", url, headers, urlencode(form).encode())


def read(callback: Callback, channel: Channel = SMS) -> list[Report]:
    return asyncio.run(twilio_reports(channel, callback))


def status(name: str, **more: str) -> dict[str, str]:
    return {"AccountSid": SID, "MessageSid": "SM1", "MessageStatus": name, **more}


def test_the_signature_is_the_one_of_twilios_own_example() -> None:
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    signed = signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form.items())
    assert signed == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


@pytest.mark.parametrize(
    ("given", "state", "reason"),
    [
        (status("queued"), State.SENT, Reason.NONE),
        (status("sent"), State.SENT, Reason.NONE),
        (status("delivered"), State.DELIVERED, Reason.NONE),
        (status("undelivered", ErrorCode="30003"), State.FAILED, Reason.UNREACHABLE),
        (status("undelivered", ErrorCode="30005"), State.FAILED, Reason.INVALID_ADDRESS),
        (status("undelivered", ErrorCode="30007"), State.FAILED, Reason.CARRIER_BLOCKED),
        (status("failed", ErrorCode="21610"), State.FAILED, Reason.OPT_OUT),
        (status("failed", ErrorCode="99999"), State.FAILED, Reason.UNREACHABLE),
        (status("failed"), State.FAILED, Reason.UNREACHABLE),
    ],
)
def test_a_status_is_a_receipt_of_the_whole_message(
    given: dict[str, str], state: State, reason: Reason
) -> None:
    detail = " ".join([given["MessageStatus"], given.get("ErrorCode", "")]).strip()
    wanted = Receipt(
        state, reason, detail if state is State.FAILED else "", "m1", "SM1", twilio_key(SID)
    )
    assert read(called(given)) == [wanted]


def test_a_status_that_is_no_news_reports_nothing() -> None:
    assert read(called(status("accepted"))) == []


def test_a_fallback_account_signs_with_its_own_token() -> None:
    form = status("delivered") | {"AccountSid": OTHER}
    assert len(read(called(form, "another token"))) == 1
    with pytest.raises(SignatureInvalid):
        read(called(form, TOKEN))


@pytest.mark.parametrize(
    "callback",
    [
        called(status("delivered"), "wrong"),
        called(status("delivered") | {"AccountSid": "AC" + "3" * 32}),
        Callback("app", "SMS", URL + "x", called(status("sent")).headers, b"AccountSid=" + b"1"),
        Callback("app", "SMS", URL, {}, urlencode(status("sent")).encode()),
        Callback("app", "SMS", URL, {"x-twilio-signature": "é"}, urlencode(status("s")).encode()),
        Callback("app", "SMS", URL, called(status("sent")).headers, b"\xff\xfe"),
        Callback("app", "SMS", URL, called(status("sent")).headers, b"&".join([b"a=1"] * 300)),
    ],
)
def test_whatever_is_not_signed_as_it_stands_is_refused(callback: Callback) -> None:
    with pytest.raises(SignatureInvalid):
        read(callback)


def test_nobody_signs_for_a_channel_without_an_account_or_token() -> None:
    bare = SmsChannel(enabled=True, twilio=Twilio(SID, ""))
    for channel in (bare, SmsChannel(enabled=True), EmailChannel(enabled=True, from_address="a@b")):
        with pytest.raises(SignatureInvalid):
            read(called(status("delivered"), ""), channel)
