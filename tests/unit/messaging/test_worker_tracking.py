"""Tracked links and the pixel: which links are led through us, and what a page keeps."""

import html
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from touchpoint.messaging.v1 import link_token_pb2

from libs.signing import BadSignature, Signer
from services.messaging.consumer.tokens import token_maker
from services.messaging.domain.ledger import Origin
from services.messaging.domain.tracking import Link, Links, linked, tracked, unsubscribe_headers
from services.messaging.domain.work import Recipient, Work

BASE = "https://links.example"


def token(link: Link, url: str) -> str:
    return f"T({url})" if url else "T"


LINKS = Links(BASE, token)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="https://x.example/a?b=1&amp;c=2">x</a>', "c/T(https://x.example/a?b=1&c=2)"),
        ("<a class='k' href='http://x.example'>x</a>", "c/T(http://x.example)"),
        ("<A HREF=https://x.example>x</A>", "c/T(https://x.example)"),
        ('<a title="a > b" href="https://x.example">x</a>', "c/T(https://x.example)"),
        ('<a href=" https://x.example ">x</a>', "c/T(https://x.example)"),
        ('<a ses:tags="unsubscribeLinkTag:y" href="https://x.example/out">x</a>', "u/T"),
        ("<a href='https://x.example' ses:tags='unsubscribeLinkTag:a;b:c'>x</a>", "u/T"),
    ],
)
def test_links_are_led_through_us(before: str, after: str) -> None:
    found = re.findall(r'href="([^"]*)"', linked(before, LINKS))
    assert [html.unescape(url) for url in found] == [f"{BASE}/{after}"]
    assert "ses:tags" not in linked(before, LINKS)


@pytest.mark.parametrize(
    "kept",
    [
        '<a href="mailto:a@b.example">x</a>',
        '<a href="tel:+1">x</a>',
        '<a href="#top">x</a>',
        '<a href="">x</a>',
        "<a name=x>y</a>",
        f'<a href="{BASE}/u/T">out</a>',
        '<abbr href="https://x.example">x</abbr>',
        '<a data-href="https://x.example">x</a>',
        '<link href="https://x.example/style.css">',
        "plain text https://x.example",
    ],
)
def test_other_links_stay(kept: str) -> None:
    assert linked(kept, LINKS) == kept


def test_other_attributes_stay() -> None:
    changed = linked('<a id="i" href="https://x.example" class="c">x</a>', LINKS)
    assert changed == f'<a id="i" href="{BASE}/c/T(https://x.example)" class="c">x</a>'


def test_a_link_can_be_left_alone() -> None:
    page = '<a ses:no-track href="https://x.example">x</a>'
    assert linked(page, LINKS) == '<a href="https://x.example">x</a>'


@pytest.mark.parametrize(
    "page", ["<html><body><p>x</p></body></html>", "<p>x</p>", "<BODY>x</BODY >", ""]
)
def test_the_pixel_stands_at_the_end_of_the_body(page: str) -> None:
    changed = tracked(page, LINKS)
    assert changed.count(f'<img src="{BASE}/o/T"') == 1
    pixel = re.search(r"<img [^>]*>", changed)
    assert pixel is not None
    assert changed.replace(pixel.group(), "") == page
    assert not re.search(r"<p", changed[pixel.end() :])
    assert re.fullmatch(r"(?i)(</body\s*>)?(</html>)?", changed[pixel.end() :])


def test_only_the_last_body_end_counts() -> None:
    changed = tracked("<!-- </body> --><body>x</body>", LINKS)
    assert changed.index("<img") > changed.index("x")


@given(st.text())
@settings(deadline=None)
def test_no_page_is_too_odd(page: str) -> None:
    assert "<img" in tracked(page, LINKS)


def test_one_click_headers() -> None:
    assert unsubscribe_headers(LINKS) == (
        ("List-Unsubscribe", f"<{BASE}/u/T>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )


def test_tokens_say_whose_link_it_is_and_cannot_be_forged() -> None:
    key = b"a-key-of-at-least-16-bytes"
    origin = Origin("app", "camp", "act")
    work = Work("b", "d", origin, "EMAIL", "PROMOTIONAL", "c", "1", None, 0, {}, "")
    recipient = Recipient("m" * 32, "e1", "a@b.example", "u1", {})
    made = token_maker(key)(work, recipient)(Link.CLICK, "https://x.example")
    read = link_token_pb2.LinkToken.FromString(Signer(key, "links").verify(made))
    assert read == link_token_pb2.LinkToken(
        kind=link_token_pb2.LinkToken.KIND_CLICK,
        application_id="app",
        message_id="m" * 32,
        endpoint_id="e1",
        campaign_id="camp",
        activity_id="act",
        treatment_id="1",
        url="https://x.example",
        address="a@b.example",
    )
    with pytest.raises(BadSignature):
        Signer(key, "page token").verify(made)
