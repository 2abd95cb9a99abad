"""Mail as bytes, without a tree for each: RFC 5322 heads, RFC 2047 words, RFC 2045 bodies."""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, getaddresses
from functools import lru_cache
from typing import Final

_CRLF: Final = "\r\n"
_LINE: Final = 76
# RFC 5322 2.1.1: a line should have at most 78 characters.
_WIDTH: Final = 78
# RFC 2047 2: an encoded word has at most 75 characters, 12 of which are `=?utf-8?b?` and `?=`.
_WORD_BYTES: Final = (75 - 12) // 4 * 3
_BREAKS: Final = re.compile(r"[\r\n\x00]+")
_NEWLINE: Final = re.compile(r"\r\n|\r|\n")
_PLAIN_PHRASE: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~ ]*")
_FORBIDDEN: Final = frozenset(
    # Written here, or by the servers on the way; a content's header may not say them twice.
    [
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
        "reply-to",
        "return-path",
        "dkim-signature",
        "received",
        "sender",
    ]
)


@dataclass(frozen=True, slots=True)
class Mail:
    """What one mail says; addresses are as given, `headers` extra ones with rendered values."""

    message_id: str
    to: str
    subject: str = ""
    html: str = ""
    text: str = ""
    headers: Sequence[tuple[str, str]] = ()


class Skeleton:
    """What all mails of a content share: the sender's head lines and the domain of ids."""

    def __init__(self, from_address: str, reply_to: Sequence[str] = (), domain: str = "") -> None:
        sender = parsed_address(from_address)
        self.sender = sender
        self._domain = domain or sender.rpartition("@")[2] or "localhost"
        head = _address_line("From", [from_address])
        if reply_to:
            head += _address_line("Reply-To", reply_to)
        self._head = head + "MIME-Version: 1.0\r\n"

    def build(self, mail: Mail, now: datetime) -> bytes:
        """The mail with CRLF line ends, ready for DATA (dot-stuffing is the client's)."""
        lines = [
            self._head,
            header_line("To", mail.to) if mail.to.isascii() else f"To: {mail.to}\r\n",
            header_line("Subject", mail.subject),
            f"Date: {_date(now.replace(microsecond=0))}\r\n",
            f"Message-ID: <{mail.message_id}@{self._domain}>\r\n",
        ]
        lines += [header_line(n, v) for n, v in mail.headers if n.lower() not in _FORBIDDEN]
        head = "".join(lines).encode()
        return head + _body(mail)


def parsed_address(text: str) -> str:
    """The bare address of `Shop <hello@shop.example>`; empty when there is none."""
    found = getaddresses([text])
    return found[0][1] if len(found) == 1 else ""


def header_line(name: str, value: str) -> str:
    """One header, folded; characters outside ASCII as encoded words, line breaks as blanks."""
    value = _BREAKS.sub(" ", value).strip()
    if not value.isascii() or "=?" in value or not value.isprintable():
        return f"{name}: {_encoded_words(value, len(name) + 2)}\r\n"
    if len(name) + 2 + len(value) <= _WIDTH:
        return f"{name}: {value}\r\n"
    return f"{name}: {_folded(value, len(name) + 2)}\r\n"


def with_headers(raw: bytes, message_id: str, domain: str) -> bytes:
    """A whole MIME message given by the caller, with CRLF line ends and a Message-ID."""
    raw = re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
    head = raw.partition(b"\r\n\r\n")[0]
    if re.search(rb"(?im)^message-id:", head):
        return raw
    return f"Message-ID: <{message_id}@{domain}>\r\n".encode() + raw


def quoted_printable(text: str) -> bytes:
    """RFC 2045 6.7, lines of at most 76 characters, CRLF line ends."""
    data = _NEWLINE.sub(_CRLF, text).encode("utf-8", "replace")
    encoded = binascii.b2a_qp(data, istext=True)
    # Soft breaks follow the first line end that b2a_qp meets, and are bare without one.
    if b"\r\n" not in data:
        encoded = encoded.replace(b"=\n", b"=\r\n")
    return encoded if encoded.endswith(b"\r\n") else encoded + b"\r\n"


def _body(mail: Mail) -> bytes:
    if mail.html and mail.text:
        # The boundary cannot occur in quoted-printable: `=_` is no escape there (RFC 2045 6.7).
        mark = f"=_{mail.message_id}"
        head = f'Content-Type: multipart/alternative; boundary="{mark}"\r\n\r\n'.encode()
        line = f"--{mark}".encode()
        return b"%b%b\r\n%b%b\r\n%b%b--\r\n" % (
            head, line, _part("plain", mail.text), line, _part("html", mail.html), line,
        )  # fmt: skip
    return _part("html", mail.html) if mail.html else _part("plain", mail.text)


def _part(kind: str, text: str) -> bytes:
    return _PART_HEADS[kind] + quoted_printable(text)


_PART_HEADS: Final = {
    kind: (
        f"Content-Type: text/{kind}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    ).encode()
    for kind in ("plain", "html")
}


@lru_cache(4)
def _date(now: datetime) -> str:
    return format_datetime(now)


def _address_line(name: str, addresses: Sequence[str]) -> str:
    shown = [_shown(person, address) for person, address in getaddresses(list(addresses))]
    return f"{name}: " + ",\r\n ".join(one for one in shown if one) + _CRLF


def _shown(person: str, address: str) -> str:
    """An address with its display name as RFC 5322 3.4 and RFC 2047 5 (3) want it."""
    address, person = _BREAKS.sub("", address), _BREAKS.sub(" ", person)
    if not person:
        return address
    if not person.isascii():
        return f"{_encoded_words(person, 10)} <{address}>"
    if _PLAIN_PHRASE.fullmatch(person):
        return f"{person} <{address}>"
    quoted = person.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>'


def _encoded_words(value: str, indent: int) -> str:
    """Encoded words of whole characters, each on a line of its own after the first."""
    words: list[str] = []
    room = min(_WORD_BYTES, (75 - indent - 12) // 4 * 3)
    piece = bytearray()
    for letter in value:
        data = letter.encode("utf-8", "replace")
        if len(piece) + len(data) > room:
            words.append(_word(piece))
            piece, room = bytearray(), _WORD_BYTES
        piece += data
    words.append(_word(piece))
    return "\r\n ".join(words)


def _word(data: bytes | bytearray) -> str:
    return f"=?utf-8?b?{binascii.b2a_base64(data, newline=False).decode()}?="


def _folded(value: str, indent: int) -> str:
    """Lines broken at blanks; a word longer than a line stays whole (RFC 5322 2.2.3)."""
    lines: list[str] = []
    line = ""
    for word in value.split(" "):
        width = _WIDTH - (indent if not lines else 1)
        if line.strip() and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    lines.append(line)
    return "\r\n ".join(lines)
