"""Texts to submit_sm parts, and received parts to their place in a text."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from libs.smpp import gsm
from libs.smpp.codes import ESM_UDHI, Tag
from libs.smpp.pdu import ShortMessage, SubmitSm

# 3GPP TS 23.040 9.2.3.24: concatenation with an 8 bit and with a 16 bit reference.
_CONCATENATED_8: Final = 0x00
_CONCATENATED_16: Final = 0x08


class Segment(NamedTuple):
    """One received part: user data without its header, and its place (`number` starts at 1).

    Join the `data` of all parts in order and only then decode: a sender may cut a character.
    """

    data: bytes
    reference: int
    total: int
    number: int


def submits(text: str, template: SubmitSm, reference: int) -> list[SubmitSm]:
    """Build the submit_sm units that carry `text` to the template's destination, in order."""
    encoding, _ = gsm.encode(text)
    pieces = gsm.split(text, reference)
    flag = ESM_UDHI if len(pieces) > 1 else 0
    return [
        replace(
            template,
            short_message=piece,
            data_coding=encoding.data_coding,
            esm_class=template.esm_class | flag,
            tlvs=dict(template.tlvs),
        )
        for piece in pieces
    ]


def segment_of(message: ShortMessage) -> Segment:
    """Where a part belongs, from its user data header or the sar_* TLVs; alone otherwise."""
    if not message.has_header:
        return _from_tlvs(message)
    header, data = _cut_header(message.payload)
    for element, value in _elements(header):
        if element == _CONCATENATED_8 and len(value) == 3:
            return _placed(data, value[0], value[1], value[2])
        if element == _CONCATENATED_16 and len(value) == 4:
            return _placed(data, int.from_bytes(value[:2], "big"), value[2], value[3])
    return Segment(data, 0, 1, 1)


def _from_tlvs(message: ShortMessage) -> Segment:
    if Tag.SAR_MSG_REF_NUM not in message.tlvs:
        return Segment(message.payload, 0, 1, 1)
    return _placed(
        message.payload,
        message.integer(Tag.SAR_MSG_REF_NUM) or 0,
        message.integer(Tag.SAR_TOTAL_SEGMENTS) or 1,
        message.integer(Tag.SAR_SEGMENT_SEQNUM) or 1,
    )


def _placed(data: bytes, reference: int, total: int, index: int) -> Segment:
    """TS 23.040: a part whose place makes no sense is shown as a message of its own."""
    if not 1 <= index <= total:
        return Segment(data, 0, 1, 1)
    return Segment(data, reference, total, index)


def _cut_header(payload: bytes) -> tuple[bytes, bytes]:
    length = payload[0] if payload else 0
    return payload[1 : 1 + length], payload[1 + length :]


def _elements(header: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 <= len(header):
        length = header[at + 1]
        yield header[at], header[at + 2 : at + 2 + length]
        at += 2 + length
