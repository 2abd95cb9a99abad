"""Mail bytes read back by the strict parser of the standard library, and by dkim.verify."""

import email
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import cast

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from services.messaging.adapters.dkim_signing import DkimSigner, KeyUnusable
from services.messaging.domain.mime import (
    Mail,
    Skeleton,
    header_line,
    parsed_address,
    quoted_printable,
    with_headers,
)

NOW = datetime(2026, 5, 1, 12, 30, 15, 999, tzinfo=UTC)
ID = "0123456789abcdef0123456789abcdef"
# What may stand in a mail; XML and SMTP know no other control characters.
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t=.-_ ")
)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]))


def read(raw: bytes) -> EmailMessage:
    """Parse as strictly as the library can: every defect raises."""
    policy = email.policy.SMTP.clone(raise_on_defect=True)
    return email.message_from_bytes(raw, policy=policy)


def build(mail: Mail, sender: str = "Shop <hello@shop.example>", *reply_to: str) -> bytes:
    return Skeleton(sender, reply_to, "shop.example").build(mail, NOW)


def words(text: str) -> str:
    return " ".join(text.split())


def lines_of(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")


def content(part: EmailMessage) -> str:
    return str(part.get_content())


def test_both_bodies_make_an_alternative_with_the_text_first() -> None:
    mail = read(build(Mail(ID, "ann@mail.example", "Grüße", "<p>Hé</p>", "Hé")))
    assert mail.get_content_type() == "multipart/alternative"
    text, html = cast("list[EmailMessage]", mail.get_payload())
    assert (text.get_content_type(), content(text).strip()) == ("text/plain", "Hé")
    assert (html.get_content_type(), content(html).strip()) == ("text/html", "<p>Hé</p>")
    assert mail["subject"] == "Grüße"
    assert mail["from"].addresses[0].display_name == "Shop"
    assert mail["to"].addresses[0].addr_spec == "ann@mail.example"
    assert mail["message-id"] == f"<{ID}@shop.example>"
    assert mail["date"].datetime == NOW.replace(microsecond=0)
    assert mail["mime-version"] == "1.0"


@pytest.mark.parametrize(
    ("html", "text", "kind"),
    [("<p>x</p>", "", "text/html"), ("", "x", "text/plain"), ("", "", "text/plain")],
)
def test_one_body_stands_alone(html: str, text: str, kind: str) -> None:
    mail = read(build(Mail(ID, "a@b.example", "s", html, text)))
    assert mail.get_content_type() == kind
    assert content(mail).strip() == (html or text)


@given(TEXT, TEXT)
@settings(max_examples=200, deadline=None)
def test_bodies_survive_the_wire(html: str, text: str) -> None:
    raw = build(Mail(ID, "a@b.example", "s", f"<p>{html}</p>", f"t{text}"))
    _assert_lines(raw)
    plain, page = cast("list[EmailMessage]", read(raw).get_payload())
    assert lines_of(content(plain)) == lines_of(f"t{text}")
    assert lines_of(content(page)) == lines_of(f"<p>{html}</p>")


@given(WORDS)
@settings(max_examples=300, deadline=None)
def test_subjects_survive_the_wire(subject: str) -> None:
    raw = build(Mail(ID, "a@b.example", subject, "", "x"))
    _assert_lines(raw)
    assert words(str(read(raw)["subject"])) == words(subject)


@given(WORDS.filter(str.strip))
@settings(max_examples=200, deadline=None)
def test_display_names_survive_the_wire(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    raw = build(Mail(ID, "a@b.example", "s", "", "x"), f'"{quoted}" <hello@shop.example>')
    _assert_lines(raw)
    (address,) = read(raw)["from"].addresses
    assert address.addr_spec == "hello@shop.example"
    # Blanks between encoded words do not count (RFC 2047 6.2), which this parser forgets in names.
    assert "".join(address.display_name.split()) == "".join(name.split())


def _assert_lines(raw: bytes) -> None:
    head, _, body = raw.partition(b"\r\n\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert head.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert all(len(line) <= 76 for line in body.split(b"\r\n"))


def test_long_subjects_are_folded() -> None:
    raw = build(Mail(ID, "a@b.example", "word " * 60, "", "x"))
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78
    assert read(raw)["subject"] == ("word " * 60).strip()


@pytest.mark.parametrize("evil", ["a\r\nBcc: x@y.example", "a\nBcc: x@y.example", "a\rBcc: x"])
def test_no_value_makes_a_header_of_its_own(evil: str) -> None:
    mail = read(build(Mail(ID, "a@b.example", evil, "", "x", [("X-Note", evil)])))
    assert mail["bcc"] is None
    assert "Bcc" in str(mail["subject"])
    assert "Bcc" in str(mail["x-note"])


def test_extra_headers_cannot_replace_ours() -> None:
    extra = [("From", "evil@x.example"), ("X-Tag", "Größe"), ("content-type", "text/evil")]
    mail = read(build(Mail(ID, "a@b.example", "s", "", "x", extra)))
    assert mail.get_all("from") == ["Shop <hello@shop.example>"]
    assert mail["x-tag"] == "Größe"
    assert mail.get_all("content-type") == ['text/plain; charset="utf-8"']


def test_answers_go_where_they_should() -> None:
    mail = read(
        build(
            Mail(ID, "a@b.example", "s", "", "x"), "s@x.example", "Ä <a@x.example>", "b@x.example"
        )
    )
    assert [one.addr_spec for one in mail["reply-to"].addresses] == ["a@x.example", "b@x.example"]
    assert mail["reply-to"].addresses[0].display_name == "Ä"


def test_headers_of_one_click_unsubscribing_stay_whole() -> None:
    url = f"<https://links.example/u/{'t' * 200}>"
    mail = read(build(Mail(ID, "a@b.example", "s", "", "x", [("List-Unsubscribe", url)])))
    assert mail["list-unsubscribe"].strip() == url


@given(TEXT)
@settings(deadline=None)
def test_quoted_printable_ends_its_last_line(text: str) -> None:
    encoded = quoted_printable(text)
    assert encoded.endswith(b"\r\n")
    assert b"\n" not in encoded.replace(b"\r\n", b"")


def test_addresses_are_read() -> None:
    assert parsed_address("Shop <hello@shop.example>") == "hello@shop.example"
    assert parsed_address("hello@shop.example") == "hello@shop.example"
    assert parsed_address("") == ""


def test_short_headers_stay_as_they_are() -> None:
    assert header_line("X-A", " b ") == "X-A: b\r\n"
    assert header_line("X-A", "=?utf-8?q?fake?=").startswith("X-A: =?utf-8?b?")


def test_raw_mails_get_an_id_and_line_ends() -> None:
    raw = with_headers(b"Subject: x\n\nbody\n", ID, "shop.example")
    assert raw == f"Message-ID: <{ID}@shop.example>\r\nSubject: x\r\n\r\nbody\r\n".encode()
    own = b"Message-Id: <mine@x>\r\n\r\nbody"
    assert with_headers(own, ID, "shop.example") == own


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _pem(key: rsa.RSAPrivateKey, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    ).decode()


def _dns(key: rsa.RSAPrivateKey) -> bytes:
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return b"v=DKIM1; k=rsa; p=" + b"".join(pem.splitlines()[1:-1])


@pytest.mark.parametrize(
    "form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL]
)
@pytest.mark.parametrize("subject", ["Hello", "Grüße an alle " * 12])
def test_signatures_verify(
    key: rsa.RSAPrivateKey, form: serialization.PrivateFormat, subject: str
) -> None:
    signer = DkimSigner("shop.example", "s1", _pem(key, form))
    mail = build(Mail(ID, "a@b.example", subject, "<p>é</p>", "é\n.\n", [("X-A", "b")]))
    signed = signer.sign(mail)
    assert signed.endswith(mail)

    def txt(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"s1._domainkey.shop.example."
        return _dns(key)

    assert dkim.verify(signed, dnsfunc=txt)
    assert not dkim.verify(
        signed.replace(b"X-A: b", b"X-A: b").replace(b"=C3=A9", b"=C3=A8"), dnsfunc=txt
    )
    assert not dkim.verify(b"From: evil@x.example\r\n" + signed, dnsfunc=txt)
    read(signed)


def test_a_key_that_is_none_is_told_at_once() -> None:
    with pytest.raises(KeyUnusable):
        DkimSigner("shop.example", "s1", "not a key")
