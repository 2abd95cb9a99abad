"""The alphabet and the arithmetic of parts (spec section 6.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib.gsm import gsm_encode

from libs.smpp import gsm
from libs.smpp.codes import CODING_UCS2, ESM_UDHI, Tag
from libs.smpp.gsm import ALPHABET, EXTENSION, Encoding, Parts, count_parts, split
from libs.smpp.pdu import SubmitSm
from libs.smpp.segments import Segment, segment_of, submits

gsm_letters = st.sampled_from([c for c in ALPHABET if c != "\x1b"] + list(EXTENSION.values()))
gsm_text = st.text(gsm_letters, max_size=700)
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


def test_the_alphabet_has_its_128_places_and_no_letter_twice() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 128
    assert not set(EXTENSION.values()) & set(ALPHABET)


# smpplib writes ` where the standard has section sign, and lacks the form feed.
@given(st.text(st.sampled_from([c for c in ALPHABET + "^{}\\[~]|€" if c not in "\x1b§`"])))
def test_smpplib_encodes_alike(text: str) -> None:
    assert gsm.encode(text) == (Encoding.GSM_7, gsm_encode(text))


@given(gsm_text)
def test_the_alphabet_round_trips(text: str) -> None:
    encoding, data = gsm.encode(text)
    assert encoding is Encoding.GSM_7
    assert gsm.decode(data, encoding.data_coding) == text


@given(any_text)
def test_every_text_round_trips(text: str) -> None:
    encoding, data = gsm.encode(text)
    assert gsm.decode(data, encoding.data_coding) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Parts(Encoding.GSM_7, 0, 1)),
        ("a" * 160, Parts(Encoding.GSM_7, 160, 1)),
        ("a" * 161, Parts(Encoding.GSM_7, 161, 2)),
        ("a" * 306, Parts(Encoding.GSM_7, 306, 2)),
        ("a" * 307, Parts(Encoding.GSM_7, 307, 3)),
        ("€" * 80, Parts(Encoding.GSM_7, 160, 1)),
        ("€" * 81, Parts(Encoding.GSM_7, 162, 2)),
        # 76 pairs fill 152 of 153 septets: the odd one stays empty.
        ("€" * 153, Parts(Encoding.GSM_7, 306, 3)),
        ("a" * 152 + "€" + "a" * 152, Parts(Encoding.GSM_7, 306, 3)),
        ("a" * 151 + "€" + "a" * 153, Parts(Encoding.GSM_7, 306, 2)),
        ("^{}\\[]~|€", Parts(Encoding.GSM_7, 18, 1)),
        ("я" * 70, Parts(Encoding.UCS_2, 70, 1)),
        ("я" * 71, Parts(Encoding.UCS_2, 71, 2)),
        ("я" * 134, Parts(Encoding.UCS_2, 134, 2)),
        ("я" * 135, Parts(Encoding.UCS_2, 135, 3)),
        ("a" * 69 + "ç", Parts(Encoding.UCS_2, 70, 1)),
        ("😀" * 35, Parts(Encoding.UCS_2, 70, 1)),
        # 33 pairs fill 66 of 67 units.
        ("😀" * 67, Parts(Encoding.UCS_2, 134, 3)),
        ("\ud800", Parts(Encoding.UCS_2, 1, 1)),
    ],
)
def test_parts_are_counted_as_carriers_bill_them(text: str, expected: Parts) -> None:
    assert count_parts(text) == expected


@given(st.one_of(gsm_text, any_text), st.integers(0, 1000))
def test_the_parts_of_a_text_join_to_it_and_each_is_readable_alone(text: str, ref: int) -> None:
    parts = count_parts(text)
    pieces = split(text, ref)
    assert len(pieces) == parts.parts
    heads, bodies = [p[:6] for p in pieces], [p[6:] for p in pieces]
    if len(pieces) == 1:
        bodies = pieces
    else:
        total = len(pieces)
        assert heads == [bytes((5, 0, 3, ref % 256, total, i)) for i in range(1, total + 1)]
        assert all(len(b) <= parts.encoding.joined * parts.encoding.width for b in bodies)
    coding = parts.encoding.data_coding
    assert "".join(gsm.decode(b, coding) for b in bodies) == text


def test_too_many_parts_are_refused() -> None:
    assert len(split("a" * 153 * 255, 1)) == 255
    with pytest.raises(ValueError, match="255 parts"):
        split("a" * (153 * 255 + 1), 1)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x1b\x65", "€"),
        (b"a\x1b", "a "),
        (b"\x1b\x41", "A"),
        (b"\x1b\x1b\x65", " €"),
        (b"a\xffb", "a\ufffdb"),
    ],
)
def test_odd_septets_are_shown_as_the_standard_says(data: bytes, text: str) -> None:
    assert gsm.decode(data, 0) == text


def test_ucs2_is_found_in_the_general_coding_group() -> None:
    assert gsm.decode("é".encode("utf-16-be"), CODING_UCS2) == "é"
    assert gsm.decode(b"\xe9", 3) == "é"


@given(any_text, st.integers(0, 255))
def test_submitted_parts_are_placed_again(text: str, ref: int) -> None:
    template = SubmitSm(source_addr="1", destination_addr="2", esm_class=0x03)
    parts = [segment_of(p) for p in submits(text, template, ref)]
    assert [p.number for p in parts] == list(range(1, len(parts) + 1))
    assert {p.total for p in parts} == {len(parts)}
    assert b"".join(p.data for p in parts) == gsm.encode(text)[1]
    assert template.esm_class == 0x03
    if len(parts) > 1:
        assert {p.reference for p in parts} == {ref}


def test_wide_references_and_sar_parameters_place_a_part_too() -> None:
    wide = SubmitSm(esm_class=ESM_UDHI, short_message=b"\x06\x08\x04\x12\x34\x02\x01abc")
    assert segment_of(wide) == Segment(b"abc", 0x1234, 2, 1)
    sar = SubmitSm(
        short_message=b"abc",
        tlvs={
            Tag.SAR_MSG_REF_NUM: b"\x12\x34",
            Tag.SAR_TOTAL_SEGMENTS: b"\x02",
            Tag.SAR_SEGMENT_SEQNUM: b"\x02",
        },
    )
    assert segment_of(sar) == Segment(b"abc", 0x1234, 2, 2)


@pytest.mark.parametrize("place", [b"\x02\x00", b"\x02\x03", b"\x00\x00"])
def test_a_senseless_place_makes_a_message_of_its_own(place: bytes) -> None:
    odd = SubmitSm(esm_class=ESM_UDHI, short_message=b"\x05\x00\x03\x07" + place + b"abc")
    assert segment_of(odd) == Segment(b"abc", 0, 1, 1)


@given(st.binary(max_size=140))
def test_any_header_is_survived(data: bytes) -> None:
    part = segment_of(SubmitSm(esm_class=ESM_UDHI, short_message=data))
    assert 1 <= part.number <= part.total
