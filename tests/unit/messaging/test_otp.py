"""One-time passwords as values: codes, texts, hashes, rules."""

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

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


def test_a_code_may_begin_with_zeros(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def below(most: int) -> int:
        asked.append(most)
        return 7

    monkeypatch.setattr(secrets, "randbelow", below)
    assert replace(ORDER, code_length=8).new_code() == "00000007"
    assert ORDER.new_code() == "000007"
    assert asked == [10**8, 10**6]


def rendered(order: OtpOrder, code: str) -> str:
    values = Layers((FlatLayer("recipient"),), prefixes=()).over({"code": code})
    return compile_template(order.text(), escape=False).render(values, now=NOW)


def test_the_languages_are_those_of_the_specification() -> None:
    names = "de-DE en-GB en-US es-419 es-ES fr-CA fr-FR it-IT ja-JP ko-KR pt-BR zh-CN zh-TW"
    assert sorted(TEXTS) == names.split()


@pytest.mark.parametrize("language", TEXTS)
def test_every_language_says_code_and_brand_in_few_parts(language: str) -> None:
    order = replace(ORDER, language=language, brand_name="A brand of 20 letter")
    text = rendered(order, "12345678")
    assert "12345678" in text
    assert "A brand of 20 letter" in text
    assert len(text) <= 160
    assert count_parts(text).parts == 1


BRANDS = st.text(min_size=1, max_size=20) | st.text("{}\\!~#/&^ a", min_size=1, max_size=20)


@given(BRANDS, st.sampled_from(sorted(TEXTS)))
def test_a_brand_that_is_taken_is_said_as_it_is(brand: str, language: str) -> None:
    order = replace(ORDER, brand_name=brand, language=language)
    if not check(order).found:
        assert rendered(order, "123456") == TEXTS[language].format(code="123456", brand=brand)


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


def test_a_new_master_key_leaves_codes_valid() -> None:
    kept = HASHER.keep("app", ORDER, "123456", NOW)
    assert OtpHasher("newer, master").matches(kept, "123456")
    assert not OtpHasher("newer, master").matches(kept, "123457")
    newer = OtpHasher("newer, master").keep("app", ORDER, "123456", NOW)
    assert not HASHER.matches(newer, "123456")
    with pytest.raises(ValueError, match="no master key"):
        OtpHasher(" , ")


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


def wrong(**changes: Any) -> set[str]:
    return {one.field for one in check(replace(ORDER, **changes)).found}


@pytest.mark.parametrize(
    ("field", "name", "least", "most"),
    [
        ("code_length", "code_length", 5, 8),
        ("validity_minutes", "validity_period", 5, 60),
        ("attempts", "allowed_attempts", 1, 5),
    ],
)
@given(number=st.integers(-100, 100))
def test_numbers_have_bounds(field: str, name: str, least: int, most: int, number: int) -> None:
    assert wrong(**{field: number}) == (set() if least <= number <= most else {name})


@given(st.integers(0, 60))
def test_texts_have_a_longest_length(length: int) -> None:
    said = "x" * length
    assert wrong(brand_name=said) == (set() if 0 < length <= 20 else {"brand_name"})
    assert wrong(reference_id=said) == (set() if 0 < length <= 48 else {"reference_id"})


@pytest.mark.parametrize("brand", ["{{x}}", "Shop{{", "   ", "Shop\n", "Sh\0p", "\x1b[1m"])
def test_a_brand_is_plain_text(brand: str) -> None:
    assert wrong(brand_name=brand) == {"brand_name"}


def test_what_is_not_asked_for_is_the_usual() -> None:
    assert (len(ORDER.new_code()), ORDER.most_attempts) == (6, 3)
    assert ORDER.validity == timedelta(minutes=15)
    longest = replace(ORDER, validity_minutes=60, attempts=5)
    assert (longest.validity, longest.most_attempts) == (timedelta(hours=1), 5)
