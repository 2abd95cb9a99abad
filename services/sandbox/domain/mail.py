"""Reading a mail as its recipient would: subject, bodies, pixel, links, one-click header."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message
from html.parser import HTMLParser
from typing import Final, cast

_ANGLED: Final = re.compile(r"<([^<>]+)>")
_ONE_CLICK: Final = "list-unsubscribe=one-click"
_DIGITS: Final = re.compile(r"\d*")
_TINY: Final = {"0", "1"}


@dataclass(frozen=True, slots=True)
class Mail:
    """The parts of a mail people look at; headers keep their order and repetitions."""

    subject: str
    sender: str
    body: str
    html: str
    headers: list[tuple[str, str]]

    def header(self, name: str) -> str:
        """Return the first header of that name, or nothing."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")

    @property
    def pixel(self) -> str | None:
        """The tracking image: the last 1x1 (or sizeless last) http image of the HTML."""
        images = _scan(self.html).images
        tiny = [source for source, is_tiny in images if is_tiny]
        return tiny[-1] if tiny else None

    @property
    def links(self) -> list[str]:
        """The http links of the HTML, in order; those of the text when there is no HTML."""
        if self.html:
            return _scan(self.html).links
        return re.findall(r"https?://[^\s<>\"')]+", self.body)

    @property
    def one_click_url(self) -> str | None:
        """Where an RFC 8058 unsubscribe is posted to, when both headers ask for it."""
        if self.header("List-Unsubscribe-Post").replace(" ", "").lower() != _ONE_CLICK:
            return None
        urls = _ANGLED.findall(self.header("List-Unsubscribe"))
        return next((url for url in urls if url.lower().startswith(("http:", "https:"))), None)


def read_mail(raw: bytes) -> Mail:
    """Parse a mail of any quality; what cannot be decoded shows as U+FFFD."""
    # The modern policies parse headers while they read, and fail on malformed ones.
    message = message_from_bytes(raw, policy=policy.compat32)
    headers = list(_headers(message))
    named = {name.lower(): value for name, value in reversed(headers)}
    return Mail(
        subject=named.get("subject", ""),
        sender=named.get("from", ""),
        body=_content(message, "plain"),
        html=_content(message, "html"),
        headers=headers,
    )


def _headers(message: Message) -> Iterator[tuple[str, str]]:
    """Decode each header; a broken one shows as it came.

    The standard library's parser fails on malformed values with IndexError, AttributeError,
    UnboundLocalError and others, as Python versions go.
    """
    for name, raw in message.raw_items():
        try:
            value = str(policy.SMTPUTF8.header_fetch_parse(name, raw))
        except Exception:
            value = str(raw)
        yield name, re.sub(r"\r?\n", "", value)


def _content(message: Message, subtype: str) -> str:
    for part in message.walk():
        if part.get_content_type() == f"text/{subtype}" and not _is_attachment(part):
            return _text_of(part)
    return ""


def _text_of(part: Message) -> str:
    try:
        payload = cast("bytes", part.get_payload(decode=True) or b"")
        return _decoded(payload, part.get_content_charset("utf-8"))
    except ValueError:
        # A charset parameter that the standard library cannot even look up.
        return str(part.get_payload())


def _is_attachment(part: Message) -> bool:
    raw = dict(part.raw_items()).get("Content-Disposition", "")
    return str(raw).strip().lower().startswith("attachment")


def _decoded(payload: bytes, charset: str) -> str:
    try:
        return payload.decode(charset, "replace")
    except (LookupError, ValueError):
        return payload.decode("utf-8", "replace")


class _Scan(HTMLParser):
    """Collects images and links."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[tuple[str, bool]] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "img" and given.get("src", "").startswith("http"):
            self.images.append((given["src"], _is_tiny(given)))
        if tag == "a" and given.get("href", "").startswith("http"):
            self.links.append(given["href"])


def _is_tiny(attributes: dict[str, str]) -> bool:
    # Browsers read the leading digits, whatever follows ("1px", "1/").
    sizes = {"".join(_DIGITS.findall(attributes.get(name, ""))[:1]) for name in ("width", "height")}
    if sizes <= _TINY:
        return True
    style = attributes.get("style", "").replace(" ", "").lower()
    return "display:none" in style or "width:1px" in style or "height:1px" in style


def _scan(html: str) -> _Scan:
    scan = _Scan()
    # The parser asserts on some broken declarations: what came before them counts.
    with suppress(AssertionError):
        scan.feed(html)
        scan.close()
    return scan
