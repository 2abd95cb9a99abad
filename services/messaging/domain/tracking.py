"""Tracking of emails: the open pixel, rewritten links, the way out (spec 6.3, 5.6; RFC 8058)."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Link(StrEnum):
    """What a tracked URL does, as it stands in its path."""

    OPEN = "o"
    CLICK = "c"
    UNSUBSCRIBE = "u"


Token = Callable[[Link, str], str]
"""Makes the signed token of a link to a URL (empty but for CLICK)."""

_ANCHOR: Final = re.compile(r"<a\s(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", re.IGNORECASE)
_HREF: Final = re.compile(
    r"(?<=\s)href\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE
)
_TAGS: Final = re.compile(r"\s+ses:tags\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_NO_TRACK: Final = re.compile(r"\s+ses:no-track(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'))?", re.IGNORECASE)
_UNSUBSCRIBE_TAG: Final = "unsubscribelinktag:"
_BODY_END: Final = re.compile(r"</body\s*>", re.IGNORECASE)
_PIXEL: Final = '<img src="{}" width="1" height="1" alt="" style="display:block;border:0">'


@dataclass(frozen=True, slots=True)
class Links:
    """Where tracked URLs of one message lead: `base` is the links service, `token` signs."""

    base: str
    token: Token

    def to(self, link: Link, url: str = "") -> str:
        """A tracked URL."""
        return f"{self.base}/{link}/{self.token(link, url)}"


def unsubscribe_headers(links: Links) -> tuple[tuple[str, str], ...]:
    """The two headers of RFC 8058: an https URL that takes a POST."""
    return (
        ("List-Unsubscribe", f"<{links.to(Link.UNSUBSCRIBE)}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )


def tracked(page: str, links: Links) -> str:
    """The page with its http(s) links led through `links` and a pixel at its end."""
    page = linked(page, links)
    pixel = _PIXEL.format(links.to(Link.OPEN))
    # The last one: text before it may speak of bodies.
    ends = list(_BODY_END.finditer(page)) if "</" in page else []
    at = ends[-1].start() if ends else len(page)
    return page[:at] + pixel + page[at:]


def linked(page: str, links: Links) -> str:
    """The page with its http(s) links led through `links`.

    A link tagged `ses:tags="unsubscribeLinkTag:..."` leads to the unsubscribe page, one marked
    `ses:no-track` stays as it is, and so does one that leads to the links service already.
    """

    def rewritten(found: re.Match[str]) -> str:
        return _anchor(found.group(), links)

    return _ANCHOR.sub(rewritten, page)


def _anchor(anchor: str, links: Links) -> str:
    tags = _TAGS.search(anchor)
    if tags is not None:
        anchor = anchor[: tags.start()] + anchor[tags.end() :]
        if _UNSUBSCRIBE_TAG in (tags.group(1) or tags.group(2) or "").lower():
            return _with_href(anchor, lambda _: links.to(Link.UNSUBSCRIBE))
    untracked = _NO_TRACK.search(anchor)
    if untracked is not None:
        return anchor[: untracked.start()] + anchor[untracked.end() :]
    return _with_href(anchor, lambda url: _led(url, links))


def _led(url: str, links: Links) -> str:
    if not url.lower().startswith(("http://", "https://")) or url.startswith(f"{links.base}/"):
        return url
    return links.to(Link.CLICK, url)


def _with_href(anchor: str, change: Callable[[str], str]) -> str:
    found = _HREF.search(anchor)
    if found is None:
        return anchor
    quoted = next((group for group in found.groups() if group is not None), "")
    url = html.unescape(quoted.strip())
    changed = change(url)
    if changed == url:
        return anchor
    return f'{anchor[: found.start()]}href="{html.escape(changed)}"{anchor[found.end() :]}'
