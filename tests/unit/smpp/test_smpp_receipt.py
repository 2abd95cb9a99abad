"""Delivery receipts as text (SMPP 3.4 appendix B)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.smpp.codes import MessageState
from libs.smpp.receipt import Receipt, build, parse

minutes = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1)).map(  # noqa: DTZ001
    lambda d: d.replace(second=0, microsecond=0, tzinfo=UTC)
)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)


@given(
    st.builds(
        Receipt,
        message_id=words,
        state=st.sampled_from(MessageState),
        submit_date=st.none() | minutes,
        done_date=st.none() | minutes,
        error=st.text("0123456789ABC", min_size=3, max_size=3),
        submitted=st.integers(0, 999),
        delivered=st.integers(0, 999),
        text=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20),
    )
)
def test_a_built_receipt_parses_to_itself(receipt: Receipt) -> None:
    assert parse(build(receipt)) == receipt


def test_the_text_is_that_of_appendix_b() -> None:
    moment = datetime(2026, 11, 25, 22, 31, 59, tzinfo=UTC)
    receipt = Receipt("77", MessageState.DELIVERED, moment, moment, delivered=1, text="Hello")
    assert build(receipt) == (
        b"id:77 sub:001 dlvrd:001 submit date:2611252231 done date:2611252231"
        b" stat:DELIVRD err:000 text:Hello"
    )


def test_receipts_of_the_wild_are_understood() -> None:
    raw = (
        b"ID: 0A-ff Sub:001 Dlvrd:000 Submit Date:261125223159 Done Date: stat:undeliv err:12"
        b" Text:id:9"
    )
    assert parse(raw) == Receipt(
        "0A-ff",
        MessageState.UNDELIVERABLE,
        datetime(2026, 11, 25, 22, 31, 59, tzinfo=UTC),
        None,
        "12",
        1,
        0,
        "id:9",
    )


@pytest.mark.parametrize(
    "raw", [b"", b"STOP", b"id:1 stat:HAPPY", b"stat:DELIVRD", b"id: stat:DELIVRD"]
)
def test_what_is_no_receipt_is_none(raw: bytes) -> None:
    assert parse(raw) is None


def test_an_impossible_date_is_left_out() -> None:
    found = parse(b"id:1 submit date:2613402231 stat:EXPIRED")
    assert found == Receipt("1", MessageState.EXPIRED, submitted=0)
