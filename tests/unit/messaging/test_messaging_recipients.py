"""Addresses: one spelling of each, and the faults of those that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messaging.domain.channels import (
    Dkim,
    EmailChannel,
    Replies,
    Smpp,
    SmsChannel,
    Smtp,
    check_email,
    check_sms,
)
from services.messaging.domain.recipients import EMAIL, SMS, address_fault, normalized
from services.messaging.domain.senders import is_origination_number, is_sender_id


@pytest.mark.parametrize(
    ("channel", "address", "expected"),
    [
        (SMS, "+1 (206) 555-0142", "+12065550142"),
        (SMS, "+49.30/901820", "+4930901820"),
        (EMAIL, "  Ann@Shop.Example ", "ann@shop.example"),
        ("GCM", " Token-Aa ", "Token-Aa"),
    ],
)
def test_one_spelling(channel: str, address: str, expected: str) -> None:
    assert normalized(channel, address) == expected


@given(st.sampled_from([SMS, EMAIL, "GCM"]), st.text(max_size=60))
def test_normal_form_is_normal(channel: str, address: str) -> None:
    once = normalized(channel, address)
    assert normalized(channel, once) == once
    address_fault(channel, once)


@pytest.mark.parametrize(
    "address",
    [
        "ann@shop.example",
        "ann.lee+news@mail.shop.example",
        "o'neil@shop.example",
        "ann@bücher.example",
        "a" * 64 + "@shop.example",
    ],
)
def test_email_addresses(address: str) -> None:
    assert address_fault(EMAIL, address) == ""


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "@shop.example",
        "ann@",
        "ann@shop",
        "ann@-shop.example",
        "ann@shop..example",
        "ann..lee@shop.example",
        ".ann@shop.example",
        "ann lee@shop.example",
        "ann@shop.example\r\nBcc: x@y.example",
        "ann@127.0.0.1",
        "a" * 65 + "@shop.example",
        "ann@" + "a" * 63 + "." + "b" * 63 + "." + "c" * 63 + "." + "d" * 63,
        "änn@shop.example",
    ],
)
def test_no_email_addresses(address: str) -> None:
    assert address_fault(EMAIL, address)


@pytest.mark.parametrize("number", ["+12065550142", "+4930901820", "+447400123456"])
def test_phone_numbers(number: str) -> None:
    assert address_fault(SMS, number) == ""


@pytest.mark.parametrize(
    "number", ["", "12065550142", "+0123456789", "+1206", "+1206555014299", "+999123456789", "x"]
)
def test_no_phone_numbers(number: str) -> None:
    assert address_fault(SMS, number)


def fields(found: object) -> set[str]:
    return {violation.field for violation in found.found}  # type: ignore[attr-defined]


def test_every_bad_email_setting_is_named() -> None:
    channel = EmailChannel(
        enabled=True,
        from_address="nobody",
        smtp=Smtp("mail host/", 0, password="p", connections=51, return_path_domain="x"),
        dkim=Dkim("", "key"),
        messages_per_second=-1,
    )
    assert fields(check_email(channel)) == {
        "from_address",
        "smtp.host",
        "smtp.port",
        "smtp.connections",
        "smtp.username",
        "smtp.return_path_domain",
        "dkim.private_key",
        "dkim.selector",
        "messages_per_second",
    }
    assert (
        fields(check_email(EmailChannel(enabled=True, from_address="Shop <hello@shop.example>")))
        == set()
    )


def test_every_bad_sms_setting_is_named() -> None:
    channel = SmsChannel(
        enabled=True,
        sender_id="1234",
        origination_number="12",
        smpp=Smpp("", 2775, window=17),
        parts_per_second=20_001,
        replies=Replies(stop="x" * 1601),
    )
    assert fields(check_sms(channel)) == {
        "sender_id",
        "origination_number",
        "smpp.host",
        "smpp.window",
        "parts_per_second",
        "replies.stop",
    }
    assert fields(check_sms(SmsChannel(enabled=True, sender_id="SHOP"))) == set()


def test_senders() -> None:
    assert is_sender_id("SHOP 24")
    assert not is_sender_id("1234")
    assert not is_sender_id("TWELVELETTER")
    assert is_origination_number("12345")
    assert is_origination_number("+12065550100")
    assert not is_origination_number("12")
