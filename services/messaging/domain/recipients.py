"""Addresses: one spelling of each, and what is wrong with those that are none.

Phone numbers are E.164; whether one of that length exists is libphonenumber's
word. Email addresses are the dot-atom form of RFC 5321, which is what mail hosts take today.
"""

import re
from collections.abc import Callable
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException

from services.messaging.domain.families import PUSH_TYPES

EMAIL: Final = "EMAIL"
SMS: Final = "SMS"
VOICE: Final = "VOICE"
_LONGEST_EMAIL: Final = 254  # RFC 5321, 4.5.3.1.3 less the angle brackets (erratum 1690)
_LONGEST_LOCAL: Final = 64  # RFC 5321, 4.5.3.1.1
_LONGEST_DOMAIN: Final = 253
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LONGEST_TOKEN: Final = 4096
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_PUNCTUATION: Final = {ord(sign): None for sign in " -.()/\u00a0"}


def normal_form(channel_type: str) -> Callable[[str], str]:
    """The function that puts addresses of a channel into normal form; it never fails."""
    return {SMS: _normal_phone, VOICE: _normal_phone, EMAIL: _normal_email}.get(
        channel_type, str.strip
    )


def normalized(channel_type: str, address: str) -> str:
    """One spelling of an address, so that two spellings are one recipient. Never fails."""
    return normal_form(channel_type)(address)


def _normal_phone(address: str) -> str:
    return address.translate(_PUNCTUATION)


def _normal_email(address: str) -> str:
    return address.strip().lower()


def address_fault(channel_type: str, address: str) -> str:
    """What is wrong with an address in normal form; empty when nothing is."""
    if channel_type in {SMS, VOICE}:
        return _phone_fault(address)
    if channel_type == EMAIL:
        return _email_fault(address)
    return _token_fault(address) if channel_type in PUSH_TYPES else ""


def _token_fault(token: str) -> str:
    # Services change what their tokens look like; these they never had.
    if len(token) > _LONGEST_TOKEN or not token.isascii() or any(map(str.isspace, token)):
        return f"must be a push token: up to {_LONGEST_TOKEN} characters, no spaces"
    return ""


def _phone_fault(number: str) -> str:
    if not _E164.fullmatch(number):
        return "must be a phone number in E.164 form, such as +12065550142"
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException:
        return "begins with no country's code"
    if not phonenumbers.is_possible_number(parsed):
        return "has too few or too many digits for its country"
    return ""


def _email_fault(address: str) -> str:
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        return "must be an email address, such as ann@shop.example"
    if len(address) > _LONGEST_EMAIL or len(local) > _LONGEST_LOCAL:
        return f"is longer than {_LONGEST_EMAIL} characters, or {_LONGEST_LOCAL} before the @"
    if not _LOCAL.fullmatch(local):
        return "has a character or a dot before the @ that may not stand there"
    return domain_fault(domain)


def domain_fault(domain: str) -> str:
    """What is wrong with a mail domain; empty when nothing is. Other scripts go by IDNA."""
    try:
        ascii_domain = domain if domain.isascii() else domain.encode("idna").decode()
    except UnicodeError:
        return "has a domain that cannot exist"
    labels = ascii_domain.split(".")
    fine = all(_LABEL.fullmatch(label) for label in labels)
    if not fine or len(labels) < 2 or labels[-1].isdigit() or len(ascii_domain) > _LONGEST_DOMAIN:
        return "has a domain that cannot exist"
    return ""
