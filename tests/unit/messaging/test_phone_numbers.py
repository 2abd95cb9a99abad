"""What numbering plans tell of phone numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messaging.domain.phone_numbers import Kind, Known, known_of


@pytest.mark.parametrize(
    ("number", "country", "kind", "e164"),
    [
        ("+4915112345678", "", Kind.MOBILE, "+4915112345678"),
        ("0151 12345678", "de", Kind.MOBILE, "+4915112345678"),
        ("+493012345678", "", Kind.LANDLINE, "+493012345678"),
        ("+12065550142", "", Kind.MOBILE, "+12065550142"),
        ("+445612345678", "", Kind.VOIP, "+445612345678"),
        ("+498001234567", "", Kind.OTHER, "+498001234567"),
        ("+1555", "", Kind.INVALID, ""),
        ("0151 12345678", "", Kind.INVALID, ""),
        ("not a number", "US", Kind.INVALID, ""),
    ],
)
def test_kind_and_form(number: str, country: str, kind: Kind, e164: str) -> None:
    known = known_of(number, country)
    assert (known.kind, known.e164) == (kind, e164)


def test_where_it_is_and_whose() -> None:
    assert known_of("+4915112345678", "") == Known(
        Kind.MOBILE,
        "+4915112345678",
        "01511 2345678",
        "Germany",
        "DE",
        "49",
        "Germany",
        "T-Mobile",
        "Europe/Berlin",
    )


@given(st.text(max_size=32), st.sampled_from(["", "US", "DE", "JP"]))
def test_nothing_makes_it_fail(number: str, country: str) -> None:
    assert known_of(number, country).kind in Kind
