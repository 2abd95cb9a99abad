"""What the DNS records of a sending domain are worth: SPF, DKIM, DMARC and MX (spec 6.3)."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

_MOST_LOOKUPS: Final = 10
"""RFC 7208 4.6.4."""
_LOOKING: Final = re.compile(r"[+\-~?]?(include:|exists:|redirect=|(a|mx|ptr)([:/]|$))")
_ALL: Final = re.compile(r"([+\-~?]?)all")
_LEAST_BITS: Final = 1024
_GOOD_BITS: Final = 2048
"""RFC 8301 3.2."""
_NAME: Final = re.compile(r"(?=.{4,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_SELECTOR: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9-]{1,63})*", re.I)


class CheckKind(StrEnum):
    """What was looked at: `DomainCheck.Kind` without its prefix."""

    SPF = "SPF"
    DKIM = "DKIM"
    DMARC = "DMARC"
    MX = "MX"


class CheckVerdict(StrEnum):
    """What is to be said of it: `DomainCheck.Verdict` without its prefix."""

    PASS = "PASS"  # noqa: S105 - no secret
    WARN = "WARN"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the DNS said of a name; `failure` says why it said nothing at all."""

    host: str
    records: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True, slots=True)
class DomainCheck:
    """One record and what is to be said of it."""

    kind: CheckKind
    verdict: CheckVerdict
    host: str
    records: tuple[str, ...]
    explanation: str
    record_to_publish: str = ""


@dataclass(frozen=True, slots=True)
class Sending:
    """How a channel sends: the host that does, whether SES does, and its DKIM key.

    `public_key` is base64 of a SubjectPublicKeyInfo, as RFC 6376 3.6.1 publishes it; `signs_as` is
    the domain in signatures.
    """

    mail_host: str = ""
    is_ses: bool = False
    selector: str = ""
    public_key: str = ""
    signs_as: str = ""


def ascii_domain(text: str) -> str:
    """A domain in ASCII form, lower case; empty when it is none."""
    try:
        name = text.strip().rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        return ""
    return name if _NAME.fullmatch(name) else ""


def is_selector(text: str) -> bool:
    """Whether a text may be a DKIM selector (RFC 6376 3.1)."""
    return len(text) <= 190 and _SELECTOR.fullmatch(text) is not None


def published_form(private_key: str) -> str:
    """The public half of a PEM key as a DKIM record has it; empty when it is no RSA key."""
    try:
        key = load_pem_private_key(private_key.encode(), None).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return ""
    if not isinstance(key, RSAPublicKey):
        return ""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def dmarc_hosts(domain: str) -> list[str]:
    """Where a policy may stand, the domain's own first, then those above it (RFC 9989 4.10)."""
    labels = domain.split(".")
    return [f"_dmarc.{'.'.join(labels[start:])}" for start in range(max(len(labels) - 1, 1))][:8]


def spf_check(answer: Answer, sending: Sending) -> DomainCheck:
    """SPF (RFC 7208): one record that names few hosts and refuses the others."""
    found = tuple(one for one in answer.records if one.lower().split(" ")[0] == "v=spf1")
    wanted = _spf_of(sending)
    if answer.failure:
        return _unknown(CheckKind.SPF, answer)
    if not found:
        told = "No SPF record: receivers cannot tell which hosts may send for the domain."
        return _check(CheckKind.SPF, CheckVerdict.FAIL, answer.host, (), told, wanted)
    if len(found) > 1:
        told = "More than one SPF record: receivers take them all for an error (RFC 7208 4.5)."
        return _check(CheckKind.SPF, CheckVerdict.FAIL, answer.host, found, told)
    verdict, told = _spf_verdict(found[0].lower().split()[1:], sending)
    return _check(CheckKind.SPF, verdict, answer.host, found, told)


def _spf_of(sending: Sending) -> str:
    if sending.is_ses:
        return "v=spf1 include:amazonses.com ~all"
    return f"v=spf1 a:{sending.mail_host} ~all" if sending.mail_host else "v=spf1 mx ~all"


def _spf_verdict(terms: Sequence[str], sending: Sending) -> tuple[CheckVerdict, str]:
    ends = [found[1] or "+" for term in terms if (found := _ALL.fullmatch(term))]
    lookups = sum(1 for term in terms if _LOOKING.match(term))
    if lookups > _MOST_LOOKUPS:
        return CheckVerdict.FAIL, f"The record needs {lookups} look-ups, at most 10 are made."
    if "+" in ends:
        return CheckVerdict.FAIL, "The record lets every host of the world send for the domain."
    if sending.is_ses and "include:amazonses.com" not in terms:
        return CheckVerdict.WARN, "The record does not name amazonses.com, which sends the mail."
    if "?" in ends or not (ends or any(term.startswith("redirect=") for term in terms)):
        return (
            CheckVerdict.WARN,
            "The record says nothing of other hosts: let it end with ~all.",
        )
    if any(re.match(r"[+\-~?]?ptr", term) for term in terms):
        return CheckVerdict.WARN, "The record uses ptr, which should not be used (RFC 7208 5.5)."
    return CheckVerdict.PASS, "The record names who may send and refuses others."


def dkim_check(answer: Answer, sending: Sending) -> DomainCheck:
    """DKIM (RFC 6376): the key at the selector is the one that our signatures are made with."""
    kind, own = CheckKind.DKIM, sending.public_key
    wanted = f"v=DKIM1; k=rsa; p={own}" if own else ""
    if not answer.host:
        told = "The channel has no DKIM key, so its mail is not signed here."
        if sending.is_ses:
            told += " Amazon SES signs by itself: give one of its selectors to have it checked."
        return _check(kind, CheckVerdict.WARN, "", (), told)
    if answer.failure:
        return _unknown(kind, answer)
    if not answer.records:
        told = "No key at the selector: signatures cannot be checked."
        return _check(kind, CheckVerdict.FAIL, answer.host, (), told, wanted)
    verdict, told = _dkim_verdict(answer.records, own)
    to_publish = wanted if verdict is CheckVerdict.FAIL else ""
    return _check(kind, verdict, answer.host, answer.records, told, to_publish)


def _dkim_verdict(records: Sequence[str], own: str) -> tuple[CheckVerdict, str]:
    tags = _tags(records[0])
    key = re.sub(r"\s", "", tags.get("p", ""))
    if len(records) > 1:
        return CheckVerdict.FAIL, "More than one key at the selector: receivers may take any."
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return CheckVerdict.FAIL, "What stands at the selector is no DKIM key."
    if not key:
        return CheckVerdict.FAIL, "The key at the selector was revoked."
    if own and key != own:
        return CheckVerdict.FAIL, "The key at the selector is not the one that mail is signed with."
    bits = _bits(key) if tags.get("k", "rsa") == "rsa" else _GOOD_BITS
    if bits < _LEAST_BITS:
        return CheckVerdict.FAIL, "The key cannot be read, or is shorter than 1,024 bits."
    if "y" in tags.get("t", "").split(":"):
        return CheckVerdict.WARN, "The key is marked as a test (t=y): receivers may ignore it."
    if bits < _GOOD_BITS:
        return CheckVerdict.WARN, f"The key has {bits} bits; 2,048 are the rule today (RFC 8301)."
    return CheckVerdict.PASS, "The key at the selector is in order."


def _bits(key: str) -> int:
    try:
        found = load_der_public_key(base64.b64decode(key, validate=True))
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        return 0
    return found.key_size if isinstance(found, RSAPublicKey) else 0


def dmarc_check(domain: str, answers: Sequence[Answer], sending: Sending) -> DomainCheck:
    """DMARC (RFC 7489): the first of `answers` that has a policy; what it asks of receivers."""
    kind, host = CheckKind.DMARC, f"_dmarc.{domain}"
    wanted = f"v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}"
    for answer in answers:
        found = tuple(one for one in answer.records if _tags(one).get("v") == "DMARC1")
        if answer.failure:
            return _unknown(kind, answer)
        if len(found) > 1:
            told = "More than one DMARC record: receivers ignore them all (RFC 7489 6.6.3)."
            return _check(kind, CheckVerdict.FAIL, answer.host, found, told)
        if found:
            verdict, told = _dmarc_verdict(
                domain, _tags(found[0]), sending, is_own=answer.host == host
            )
            return _check(kind, verdict, answer.host, found, told)
    told = "No DMARC record: large mailbox providers refuse bulk mail without one."
    return _check(kind, CheckVerdict.FAIL, host, (), told, wanted)


def _dmarc_verdict(
    domain: str, tags: Mapping[str, str], sending: Sending, *, is_own: bool
) -> tuple[CheckVerdict, str]:
    policy = tags.get("p", "") if is_own else tags.get("sp", tags.get("p", ""))
    if policy not in {"none", "quarantine", "reject"}:
        return CheckVerdict.FAIL, "The record has no policy (p=none, quarantine or reject)."
    if sending.signs_as and not _is_aligned(domain, sending.signs_as, tags.get("adkim", "r")):
        told = f"Mail is signed as {sending.signs_as}, which is not aligned with the domain."
        return CheckVerdict.FAIL, told
    if policy == "none":
        return CheckVerdict.WARN, "The policy is none: receivers deliver forged mail, too."
    if tags.get("pct", "100") != "100":
        return CheckVerdict.WARN, f"The policy holds for {tags['pct']} of a hundred mails only."
    if "rua" not in tags:
        return CheckVerdict.WARN, "Nobody gets the reports of receivers: add rua=mailto:..."
    return CheckVerdict.PASS, f"Receivers {policy} mail that is not authentic."


def _is_aligned(domain: str, signs_as: str, mode: str) -> bool:
    """Whether a signature counts for the domain; relaxed lets one be within the other."""
    if mode == "s" or domain == signs_as:
        return domain == signs_as
    return domain.endswith(f".{signs_as}") or signs_as.endswith(f".{domain}")


def mx_check(answer: Answer) -> DomainCheck:
    """MX (RFC 5321 5.1, RFC 7505): whether bounces and answers arrive."""
    kind = CheckKind.MX
    if answer.failure:
        return _unknown(kind, answer)
    if not answer.records:
        told = "No mail server: answers and bounces go to the host of that name, if there is one."
        return _check(kind, CheckVerdict.WARN, answer.host, (), told)
    if any(one.split()[-1] == "." for one in answer.records):
        told = "The domain takes no mail (RFC 7505), so many receivers refuse mail from it."
        return _check(kind, CheckVerdict.FAIL, answer.host, answer.records, told)
    told = "Mail to the domain has a server."
    return _check(kind, CheckVerdict.PASS, answer.host, answer.records, told)


def _tags(record: str) -> dict[str, str]:
    """The tag list of RFC 6376 3.2."""
    parts = (part.partition("=") for part in record.split(";"))
    return {name.strip(): value.strip() for name, mark, value in parts if mark}


def _unknown(kind: CheckKind, answer: Answer) -> DomainCheck:
    told = f"The DNS gave no answer: {answer.failure}."
    return _check(kind, CheckVerdict.UNKNOWN, answer.host, (), told)


def _check(
    kind: CheckKind,
    verdict: CheckVerdict,
    host: str,
    records: tuple[str, ...],
    explanation: str,
    record_to_publish: str = "",
) -> DomainCheck:
    return DomainCheck(kind, verdict, host, records, explanation, record_to_publish)
