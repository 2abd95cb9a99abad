"""One-time passwords as values: codes, texts, hashes, rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.handlebars import FlatLayer, Layers, compile_template
from libs.smpp.gsm import count_parts
from services.messaging.domain.otp import TEXTS, OtpHasher, OtpOrder, check, otp_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = OtpOrder("SMS", "Shop", "+12065550142", "+12065550100", "sign-in")
HASHER = OtpHasher("master")


@given(st.integers(5, 8))
def test_codes_are_digits_of_the_length_asked_for(length: int) -> None:
    codes = {replace(ORDER, code_length=length).new_code() for _ in range(20)}
    assert all(code.isdigit() and len(code) == length for code in codes)
    assert len(codes) > 1


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_says_code_and_brand_in_few_parts(language: str) -> None:
    order = replace(ORDER, language=language, brand_name="A brand of 20 letter")
    values = Layers((FlatLayer("recipient"),), prefixes=()).over({"code": "123456"})
    text = compile_template(order.text(), escape=False).render(values, now=NOW)
    assert "123456" in text
    assert "A brand of 20 letter" in text
    assert count_parts(text).parts <= 2


def test_english_is_what_pinpoint_says() -> None:
    text = ORDER.text().replace("{{code}}", "123456")
    assert text == "This is your One Time Password: 123456 from Shop"


@given(st.text(max_size=12), st.text(max_size=12))
def test_only_the_code_itself_matches(code: str, other: str) -> None:
    kept = HASHER.keep("app", ORDER, code, NOW)
    assert HASHER.matches(kept, code)
    assert HASHER.matches(kept, other) == (code == other)
    assert not OtpHasher("another key").matches(kept, code)


def test_the_same_code_is_never_kept_the_same_way_and_never_shown() -> None:
    first, second = (HASHER.keep("app", ORDER, "123456", NOW) for _ in range(2))
    assert first.key == second.key
    assert first.digest != second.digest
    assert first.expire_time == NOW + timedelta(minutes=15)
    assert "digest" not in repr(first)
    assert b"123456" not in first.digest + first.salt


@given(st.tuples(*[st.text(max_size=5)] * 3), st.tuples(*[st.text(max_size=5)] * 3))
def test_keys_differ_with_what_they_are_of(one: tuple[str, ...], two: tuple[str, ...]) -> None:
    if not any("\0" in part for part in one + two):
        assert (otp_key(*one) == otp_key(*two)) == (one == two)


def test_every_wrong_field_is_named() -> None:
    bad = OtpOrder("EMAIL", "{{x}}" * 5, "12", "no sender!", "", 4, 61, 6, "xx-XX")
    assert {one.field for one in check(bad).found} == {
        "channel",
        "brand_name",
        "destination_identity",
        "origination_identity",
        "reference_id",
        "code_length",
        "validity_period",
        "allowed_attempts",
        "language",
    }
    assert check(ORDER).found == ()
    assert check(replace(ORDER, origination="SHOP", code_length=8)).found == ()
    assert {one.field for one in check(replace(ORDER, code_length=0)).found} == {"code_length"}
