"""What DNS records are worth, by the rules of their RFCs."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.messaging.domain.domain_checks import (
    Answer,
    CheckVerdict,
    DomainCheck,
    Sending,
    ascii_domain,
    dkim_check,
    dmarc_check,
    dmarc_hosts,
    is_selector,
    mx_check,
    spf_check,
)

OWN = Sending("mail.shop.example", selector="s1", signs_as="shop.example")


def public_key(bits: int) -> str:
    key = generate_private_key(65537, bits).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


KEY, SHORT = public_key(2048), public_key(1024)


@pytest.mark.parametrize(
    ("records", "verdict", "word"),
    [
        ((), "FAIL", "No SPF"),
        (("google-verification=1",), "FAIL", "No SPF"),
        (("v=spf1 mx -all",), "PASS", "names who"),
        (("V=SPF1 MX ~ALL",), "PASS", "names who"),
        (("v=spf1 redirect=_spf.example.com",), "PASS", "names who"),
        (("v=spf1 mx -all", "v=spf1 a -all"), "FAIL", "More than one"),
        (("v=spf10 mx -all",), "FAIL", "No SPF"),
        (("v=spf1 mx all",), "FAIL", "every host"),
        (("v=spf1 +all",), "FAIL", "every host"),
        (("v=spf1 mx ?all",), "WARN", "other hosts"),
        (("v=spf1 mx",), "WARN", "other hosts"),
        (("v=spf1 ptr -all",), "WARN", "ptr"),
        (("v=spf1 " + "include:x.example " * 11 + "-all",), "FAIL", "11 look-ups"),
        (("v=spf1 " + "ip4:192.0.2.1 " * 11 + "-all",), "PASS", "names who"),
    ],
)
def test_spf(records: tuple[str, ...], verdict: str, word: str) -> None:
    check = spf_check(Answer("shop.example", records), OWN)
    assert (check.verdict, word in check.explanation) == (CheckVerdict(verdict), True)


def test_spf_names_what_to_publish() -> None:
    nothing = Answer("shop.example")
    assert spf_check(nothing, OWN).record_to_publish == "v=spf1 a:mail.shop.example ~all"
    assert spf_check(nothing, Sending()).record_to_publish == "v=spf1 mx ~all"
    amazon = Sending(is_ses=True)
    assert "amazonses.com" in spf_check(nothing, amazon).record_to_publish
    assert spf_check(Answer("x", ("v=spf1 mx -all",)), amazon).verdict is CheckVerdict.WARN


def dkim(record: str, own: str = KEY) -> DomainCheck:
    sending = Sending(selector="s1", public_key=own, signs_as="shop.example")
    return dkim_check(Answer("s1._domainkey.shop.example", (record,)), sending)


@pytest.mark.parametrize(
    ("record", "own", "verdict", "word"),
    [
        (f"v=DKIM1; k=rsa; p={KEY}", KEY, "PASS", "in order"),
        (f"p={KEY[:60]} {KEY[60:]}", KEY, "PASS", "in order"),
        (f"v=DKIM1; p={KEY}", "", "PASS", "in order"),
        (f"v=DKIM1; p={SHORT}", KEY, "FAIL", "not the one"),
        (f"v=DKIM1; p={SHORT}", SHORT, "WARN", "1024 bits"),
        (f"v=DKIM1; t=s:y; p={KEY}", KEY, "WARN", "test"),
        ("v=DKIM1; p=", KEY, "FAIL", "revoked"),
        ("v=DKIM1; p=bm9uc2Vuc2U=", "", "FAIL", "cannot be read"),
        ("v=spf1 -all", KEY, "FAIL", "no DKIM key"),
    ],
)
def test_dkim(record: str, own: str, verdict: str, word: str) -> None:
    check = dkim(record, own)
    assert (check.verdict, word in check.explanation) == (CheckVerdict(verdict), True)
    publishes = check.verdict is CheckVerdict.FAIL and own
    assert check.record_to_publish == (f"v=DKIM1; k=rsa; p={own}" if publishes else "")


def test_dkim_without_a_key_or_an_answer() -> None:
    host = "s1._domainkey.shop.example"
    sending = Sending(selector="s1", public_key=KEY)
    missing = dkim_check(Answer(host), sending)
    assert (missing.verdict, KEY in missing.record_to_publish) == (CheckVerdict.FAIL, True)
    assert dkim_check(Answer(host, failure="Timeout"), sending).verdict is CheckVerdict.UNKNOWN
    assert dkim_check(Answer(host, ("p=a", "p=b")), sending).verdict is CheckVerdict.FAIL
    assert dkim_check(Answer(""), Sending()).verdict is CheckVerdict.WARN
    assert "SES" in dkim_check(Answer(""), Sending(is_ses=True)).explanation


@pytest.mark.parametrize(
    ("record", "sending", "verdict"),
    [
        ("v=DMARC1; p=reject; rua=mailto:d@shop.example", OWN, "PASS"),
        ("v=DMARC1;p=quarantine;rua=mailto:d@shop.example;pct=100", OWN, "PASS"),
        ("v=DMARC1; p=quarantine; pct=20; rua=mailto:d@shop.example", OWN, "WARN"),
        ("v=DMARC1; p=reject", OWN, "WARN"),
        ("v=DMARC1; p=none; rua=mailto:d@shop.example", OWN, "WARN"),
        ("v=DMARC1; rua=mailto:d@shop.example", OWN, "FAIL"),
        ("v=DMARC1; p=reject; adkim=s; rua=mailto:x@x.example", Sending(signs_as="m.shop.example"),
         "FAIL"),
        ("v=DMARC1; p=reject; rua=mailto:x@x.example", Sending(signs_as="m.shop.example"), "PASS"),
        ("v=DMARC1; p=reject; rua=mailto:x@x.example", Sending(signs_as="other.example"), "FAIL"),
    ],
)  # fmt: skip
def test_dmarc(record: str, sending: Sending, verdict: str) -> None:
    answers = [Answer("_dmarc.shop.example", (record,)), Answer("_dmarc.example")]
    assert dmarc_check("shop.example", answers, sending).verdict is CheckVerdict(verdict)


def test_a_domain_takes_the_policy_of_the_one_above_it() -> None:
    assert dmarc_hosts("m.shop.example") == ["_dmarc.m.shop.example", "_dmarc.shop.example"]
    above = "v=DMARC1; p=reject; sp=none; rua=mailto:d@shop.example"
    answers = [Answer("_dmarc.m.shop.example"), Answer("_dmarc.shop.example", (above,))]
    check = dmarc_check("m.shop.example", answers, Sending())
    assert (check.verdict, check.host) == (CheckVerdict.WARN, "_dmarc.shop.example")
    nothing = dmarc_check("m.shop.example", [Answer("a"), Answer("b")], Sending())
    assert (nothing.verdict, nothing.host) == (CheckVerdict.FAIL, "_dmarc.m.shop.example")
    assert nothing.record_to_publish.startswith("v=DMARC1; p=")
    silent = [Answer("_dmarc.m.shop.example", failure="Timeout"), answers[1]]
    assert dmarc_check("m.shop.example", silent, Sending()).verdict is CheckVerdict.UNKNOWN
    twice = [Answer("_dmarc.m.shop.example", ("v=DMARC1; p=none", "v=DMARC1; p=reject"))]
    assert dmarc_check("m.shop.example", twice, Sending()).verdict is CheckVerdict.FAIL


def test_mx() -> None:
    assert mx_check(Answer("x", ("10 mx.x.",))).verdict is CheckVerdict.PASS
    assert mx_check(Answer("x")).verdict is CheckVerdict.WARN
    assert mx_check(Answer("x", ("0 .",))).verdict is CheckVerdict.FAIL
    assert mx_check(Answer("x", failure="Timeout")).verdict is CheckVerdict.UNKNOWN


def test_names() -> None:
    assert ascii_domain(" Müller.Example. ") == "xn--mller-kva.example"
    for bad in ("", "nodots", "a..b", "-a.example", "a b.example", "x" * 64 + ".example"):
        assert ascii_domain(bad) == ""
    assert is_selector("s1.2026-a")
    assert not is_selector("s1/..")
