"""Accounts at SMS centres: who shares one, and the rates that hold for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from libs.ids import derived_id
from services.messaging.domain.channels import Smpp, SmsChannel, Twilio
from services.messaging.domain.limits import Limit

INSTALLATION_BUCKET: Final = "sms/account"
_KEY_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """The installation's own account: its key, and message parts a second (spec 12.0 X1)."""

    key: str
    rate: int


@dataclass(frozen=True, slots=True)
class Sender:
    """An application and the SMS channel it sends through."""

    app_id: str
    channel: SmsChannel


def account_key(host: str, port: int, system_id: str) -> str:
    """Twelve digits for an account: its message ids are unique in it, over all of its links."""
    return derived_id("smpp", f"{host.lower()}:{port}/{system_id}")[:_KEY_DIGITS]


def twilio_key(account_sid: str) -> str:
    """As `account_key`, for an account at Twilio."""
    return derived_id("twilio", account_sid)[:_KEY_DIGITS]


def aws_key(access_key_id: str) -> str:
    """As `account_key`, for an account at AWS."""
    return derived_id("aws", access_key_id)[:_KEY_DIGITS]


def account_of(channel: SmsChannel, own: OwnAccount) -> str:
    """The key of the account that a channel sends over."""
    smpp = channel.smpp
    if channel.twilio is not None:
        return twilio_key(channel.twilio.account_sid)
    if channel.aws is not None:
        return aws_key(channel.aws.access_key_id)
    return account_key(smpp.host, smpp.port, smpp.system_id) if smpp.host else own.key


def _accounts_of(channel: SmsChannel, own: OwnAccount) -> set[str]:
    """Of a channel with fallbacks: people answer to whichever account a text came from."""
    keys = {account_of(channel, own)}
    for one in channel.fallbacks:
        if isinstance(one, Twilio):
            keys.add(twilio_key(one.account_sid))
        elif isinstance(one, Smpp):
            keys.add(account_key(one.host, one.port, one.system_id))
    return keys


def sms_limits(app_id: str, channel: SmsChannel | None, own: OwnAccount) -> tuple[Limit, ...]:
    """The limits that texts of a channel pass, from the narrowest scope to the widest.

    A rate beside a server is that of the account there, whoever else sends over it; a rate without
    one is the application's share of the installation's account.
    """
    rate = channel.parts_per_second if channel else 0
    if channel is None or not rate:
        return (Limit(INSTALLATION_BUCKET, own.rate),)
    if not channel.smpp.host and channel.twilio is None and channel.aws is None:
        return Limit(f"sms/{app_id}", rate), Limit(INSTALLATION_BUCKET, own.rate)
    key = account_of(channel, own)
    return (Limit(INSTALLATION_BUCKET if key == own.key else f"sms/{key}", rate),)


def admission_limits(limits: Sequence[Limit]) -> list[Limit]:
    """The limits that decide which direct sends are THROTTLED.

    They have buckets of their own: queued sends wait in the others, and must not make a direct
    send wait or be refused.
    """
    return [Limit(f"{one.key}/direct", one.count, one.window_seconds) for one in limits]


def addressed(
    senders: Sequence[Sender], number: str, account: str, own: OwnAccount
) -> list[Sender]:
    """Who may be meant by a text to a number on an account: the number's owners, else all there."""
    there = [one for one in senders if account in _accounts_of(one.channel, own)]
    return [one for one in there if one.channel.origination_number == number] or there
