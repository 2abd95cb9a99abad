"""The GSM 03.38 alphabet, UCS-2, and the arithmetic of message parts.

Octets are unpacked, one septet in each, as SMPP carries data_coding 0 (3GPP TS 23.038 6.2.1).
"""

import codecs
from enum import Enum
from typing import Final, NamedTuple

from libs.smpp.codes import CODING_DEFAULT, CODING_UCS2

ALPHABET: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION: Final = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
    0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip
ESCAPE: Final = 0x1B
MAX_PARTS: Final = 255
_ESCAPE_BYTE: Final = b"\x1b"
_HIGH_SURROGATES: Final = range(0xD8, 0xDC)

_ENCODE: Final[dict[int, int | bytes]] = {
    ord(letter): code for code, letter in enumerate(ALPHABET) if code != ESCAPE
} | {ord(letter): bytes((ESCAPE, code)) for code, letter in EXTENSION.items()}
# A compiled map of the characters without an escape: most texts hold no others, and it encodes
# ten times faster than a dictionary.
_ENCODE_BASIC: Final = codecs.charmap_build(ALPHABET.replace("\x1b", "\ufffe").ljust(256, "\ufffe"))


class Encoding(Enum):
    """How a text travels: octets of user data in a lone part and in one part of several.

    A part holds 140 octets: 160 septets or 70 UCS-2 units; the six octets of the
    concatenation header leave 153 septets or 67 units (spec section 6.4).
    """

    GSM_7 = ("GSM_7", CODING_DEFAULT, 1, 160, 153)
    UCS_2 = ("UCS_2", CODING_UCS2, 2, 70, 67)

    def __init__(self, label: str, data_coding: int, width: int, alone: int, joined: int) -> None:
        self.label = label
        self.data_coding = data_coding
        self.width = width
        self.alone = alone
        self.joined = joined


class Parts(NamedTuple):
    """What a text costs: units as the encoding counts them, and messages to send."""

    encoding: Encoding
    units: int
    parts: int


def encode(text: str) -> tuple[Encoding, bytes]:
    """GSM 7 when every character has a place in it, otherwise UTF-16BE for the whole text.

    A lone surrogate, which no wire can carry, becomes a question mark.
    """
    try:
        return Encoding.GSM_7, codecs.charmap_encode(text, "strict", _ENCODE_BASIC)[0]
    except UnicodeEncodeError:
        return _encode_extended(text)


def _encode_extended(text: str) -> tuple[Encoding, bytes]:
    try:
        return Encoding.GSM_7, codecs.charmap_encode(text, "strict", _ENCODE)[0]
    except UnicodeEncodeError:
        return Encoding.UCS_2, text.encode("utf-16-be", "replace")


def decode(data: bytes, data_coding: int) -> str:
    """Return the text of user data without its header; unreadable octets become U+FFFD."""
    if data_coding & 0x0C == CODING_UCS2:
        return data.decode("utf-16-be", "replace")
    if data_coding in {1, 3}:
        return data.decode("latin-1")
    first, *escaped = data.split(_ESCAPE_BYTE)
    text = _decode_default(first)
    for piece in escaped:
        text += _decode_extension(piece)
    return text


def count_parts(text: str) -> Parts:
    """Count what a text takes; the empty text is still one message."""
    encoding, data = encode(text)
    units = len(data) // encoding.width
    if units <= encoding.alone:
        return Parts(encoding, units, 1)
    return Parts(encoding, units, len(_cuts(encoding, data)))


def split(text: str, reference: int) -> list[bytes]:
    """User data of each part, ready for short_message.

    Several parts begin with the header 05 00 03 reference total index (3GPP TS 23.040 9.2.3.24.1)
    and must be sent with the UDHI bit. An escape pair or a surrogate pair is never cut.
    `reference` is taken modulo 256. ValueError above 255 parts.
    """
    encoding, data = encode(text)
    if len(data) <= encoding.alone * encoding.width:
        return [data]
    pieces = _cuts(encoding, data)
    total = len(pieces)
    if total > MAX_PARTS:
        raise ValueError(f"a message has at most {MAX_PARTS} parts, this one {total}")
    return [
        bytes((5, 0, 3, reference & 0xFF, total, index)) + piece
        for index, piece in enumerate(pieces, 1)
    ]


def _cuts(encoding: Encoding, data: bytes) -> list[bytes]:
    size = encoding.joined * encoding.width
    pieces: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + size
        if end < len(data) and _breaks_a_pair(encoding, data, end):
            end -= encoding.width
        pieces.append(data[at:end])
        at = end
    return pieces


def _breaks_a_pair(encoding: Encoding, data: bytes, end: int) -> bool:
    """Look at the last unit before the cut: an escape is never the second of a pair."""
    if encoding is Encoding.GSM_7:
        return data[end - 1] == ESCAPE
    return data[end - 2] in _HIGH_SURROGATES


def _decode_default(data: bytes) -> str:
    return codecs.charmap_decode(data, "replace", ALPHABET)[0]


def _decode_extension(piece: bytes) -> str:
    """TS 23.038 6.2.1.1: an unknown extension shows as the main table's character."""
    if not piece:
        return " "
    letter = EXTENSION.get(piece[0])
    return _decode_default(piece) if letter is None else letter + _decode_default(piece[1:])
