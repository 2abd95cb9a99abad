"""Channels: their settings, what may be wrong with them, and the rates they send at."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parseaddr
from enum import StrEnum
from typing import Final

from libs.errors import Violations
from services.messaging.domain.families import PUSH_TYPES
from services.messaging.domain.recipients import (
    EMAIL,
    SMS,
    VOICE,
    address_fault,
    domain_fault,
)
from services.messaging.domain.senders import (
    ORIGINATION_RULE,
    SENDER_ID_RULE,
    is_origination_number,
    is_sender_id,
)

ACCOUNT_SMS_RATE: Final = 20
"""Message parts a second of the whole installation (spec 12.0 X1)."""
DIRECT_CHANNELS: Final = frozenset({EMAIL, SMS, VOICE, *PUSH_TYPES})
_MOST_CONNECTIONS: Final = 50
_DEFAULT_CONNECTIONS: Final = 4
_MOST_WINDOW: Final = 16
_DEFAULT_WINDOW: Final = 10
_MOST_RATE: Final = 20_000
_LONGEST_REPLY: Final = 1600  # spec 7.5
MOST_FALLBACKS: Final = 4
_REGION: Final = re.compile(r"[a-z]{2}(?:-[a-z]+)+-[0-9]")
_TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}")
_LONGEST_SET: Final = 64
_ACCOUNT_SID: Final = re.compile(r"AC[0-9a-f]{32}")
_SELECTOR: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


class Security(StrEnum):
    """How a connection to a mail server is protected."""

    STARTTLS = "STARTTLS"
    TLS = "TLS"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """What all channels have in common. `configured` is False once its settings were dropped."""

    app_id: str
    channel_type: str
    enabled: bool
    has_credential: bool
    version: int
    create_time: datetime
    update_time: datetime
    configured: bool = True


@dataclass(frozen=True, slots=True)
class Smtp:
    """A mail server. An empty host means the installation's own (`SMTP_ADDR`)."""

    host: str = ""
    port: int = 0
    security: Security = Security.STARTTLS
    username: str = ""
    password: str = field(default="", repr=False)
    verify_certificate: bool = True
    connections: int = _DEFAULT_CONNECTIONS
    return_path_domain: str = ""


@dataclass(frozen=True, slots=True)
class Dkim:
    """A DKIM key (RFC 6376); no selector means that mail is not signed."""

    selector: str = ""
    private_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Twilio:
    """An account at Twilio, or at whoever speaks its API."""

    account_sid: str
    auth_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Aws:
    """An account at AWS: Amazon SES for email, End User Messaging for SMS.

    `event_topic_arn` is the SNS topic that tells what became of messages; empty means none.
    """

    region: str
    access_key_id: str
    secret_access_key: str = field(default="", repr=False)
    configuration_set: str = ""
    event_topic_arn: str = ""


@dataclass(frozen=True, slots=True)
class EmailChannel:
    """Settings of the email channel: over `smtp`, or over `ses` when there is one.

    `fallbacks` take mail while those before them do not.
    """

    enabled: bool
    from_address: str
    identity: str = ""
    smtp: Smtp = field(default_factory=Smtp)
    dkim: Dkim = field(default_factory=Dkim)
    messages_per_second: int = 0
    fallbacks: tuple[Smtp | Aws, ...] = ()
    ses: Aws | None = None


@dataclass(frozen=True, slots=True)
class Smpp:
    """An SMPP 3.4 server. An empty host means the installation's own (`SMPP_ADDR`)."""

    host: str = ""
    port: int = 0
    system_id: str = ""
    password: str = field(default="", repr=False)
    system_type: str = ""
    window: int = _DEFAULT_WINDOW
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Replies:
    """Answers to keywords; empty ones take the default."""

    stop: str = ""
    help: str = ""
    start: str = ""


@dataclass(frozen=True, slots=True)
class SmsChannel:
    """Settings of the SMS channel: over `smpp`, or over `twilio` when there is one.

    `fallbacks` take texts while those before them do not.
    """

    enabled: bool
    sender_id: str = ""
    origination_number: str = ""
    smpp: Smpp = field(default_factory=Smpp)
    parts_per_second: int = 0
    replies: Replies = field(default_factory=Replies)
    twilio: Twilio | None = None
    fallbacks: tuple[Smpp | Twilio | Aws, ...] = ()
    aws: Aws | None = None


def connections_of(asked: int) -> int:
    """Connections kept open by a worker; 0 means four."""
    return asked or _DEFAULT_CONNECTIONS


def window_of(asked: int) -> int:
    """Submits without answer at a time; 0 means ten."""
    return asked or _DEFAULT_WINDOW


def check_email(channel: EmailChannel) -> Violations:
    """Every field of the settings that is wrong, by its name in `EmailChannel`."""
    found = Violations()
    fault = address_fault(EMAIL, parseaddr(channel.from_address)[1])
    found.check(not fault, "from_address", fault)
    if channel.identity:
        found.check(not domain_fault(channel.identity), "identity", "must be a domain")
    _check_smtp(found, "smtp", channel.smtp)
    fine = len(channel.fallbacks) <= MOST_FALLBACKS
    found.check(fine, "fallbacks", f"must be at most {MOST_FALLBACKS}")
    if channel.ses is not None:
        found.check(not channel.smtp.host, "smtp", "is not to be given together with ses")
        check_aws(found, "ses", channel.ses)
    for place, one in enumerate(channel.fallbacks):
        where = f"fallbacks[{place}]"
        if isinstance(one, Aws):
            check_aws(found, f"{where}.ses", one)
        else:
            found.check(one.host, f"{where}.smtp.host", "is needed")
            _check_smtp(found, f"{where}.smtp", one)
    _check_dkim(found, channel)
    check_rate(found, "messages_per_second", channel.messages_per_second)
    return found


def _check_smtp(found: Violations, where: str, smtp: Smtp) -> None:
    _check_server(found, where, smtp.host, smtp.port)
    fine = 0 <= smtp.connections <= _MOST_CONNECTIONS
    found.check(fine, f"{where}.connections", f"must be 0 to {_MOST_CONNECTIONS}")
    if smtp.return_path_domain:
        fault = domain_fault(smtp.return_path_domain)
        found.check(not fault, f"{where}.return_path_domain", "must be a domain")
    named = not smtp.password or smtp.username
    found.check(named, f"{where}.username", "is needed beside a password")


def check_sms(channel: SmsChannel) -> Violations:
    """Every field of the settings that is wrong, by its name in `SmsChannel`."""
    found = Violations()
    if channel.sender_id:
        found.check(is_sender_id(channel.sender_id), "sender_id", SENDER_ID_RULE)
    if channel.origination_number:
        fine = is_origination_number(channel.origination_number)
        found.check(fine, "origination_number", ORIGINATION_RULE)
    _check_sms_providers(found, channel)
    check_rate(found, "parts_per_second", channel.parts_per_second)
    for name in ("stop", "help", "start"):
        fine = len(getattr(channel.replies, name)) <= _LONGEST_REPLY
        found.check(fine, f"replies.{name}", f"is longer than {_LONGEST_REPLY} characters")
    return found


def _check_sms_providers(found: Violations, channel: SmsChannel) -> None:
    _check_smpp(found, "smpp", channel.smpp)
    for name, one in (("twilio", channel.twilio), ("aws", channel.aws)):
        if one is not None:
            found.check(not channel.smpp.host, "smpp", f"is not to be given together with {name}")
            _check_sms_provider(found, "", one)
    both = channel.twilio is not None and channel.aws is not None
    found.check(not both, "aws", "is not to be given together with twilio")
    fine = len(channel.fallbacks) <= MOST_FALLBACKS
    found.check(fine, "fallbacks", f"must be at most {MOST_FALLBACKS}")
    for place, fallback in enumerate(channel.fallbacks):
        _check_sms_provider(found, f"fallbacks[{place}].", fallback)


def _check_sms_provider(found: Violations, where: str, one: Smpp | Twilio | Aws) -> None:
    if isinstance(one, Twilio):
        check_twilio(found, f"{where}twilio", one)
    elif isinstance(one, Aws):
        check_aws(found, f"{where}aws", one)
    else:
        found.check(one.host, f"{where}smpp.host", "is needed")
        _check_smpp(found, f"{where}smpp", one)


def _check_smpp(found: Violations, where: str, smpp: Smpp) -> None:
    _check_server(found, where, smpp.host, smpp.port)
    fine = 0 <= smpp.window <= _MOST_WINDOW
    found.check(fine, f"{where}.window", f"must be 0 to {_MOST_WINDOW}")


def check_aws(found: Violations, where: str, aws: Aws) -> None:
    """Note what is wrong with an account; whether a secret is kept is not asked here."""
    is_region = _REGION.fullmatch(aws.region)
    found.check(is_region, f"{where}.region", "must be a region, such as eu-central-1")
    found.check(aws.access_key_id, f"{where}.access_key_id", "is needed")
    fine = len(aws.configuration_set) <= _LONGEST_SET
    found.check(fine, f"{where}.configuration_set", f"is longer than {_LONGEST_SET} characters")
    topic = aws.event_topic_arn
    fine = not topic or _TOPIC.fullmatch(topic) is not None
    found.check(fine, f"{where}.event_topic_arn", "must be the ARN of an SNS topic")


def check_twilio(found: Violations, where: str, twilio: Twilio) -> None:
    """Note what is wrong with an account; whether a token is kept is not asked here."""
    fine = _ACCOUNT_SID.fullmatch(twilio.account_sid)
    found.check(fine, f"{where}.account_sid", "must be AC and 32 hexadecimal digits")


def _check_server(found: Violations, name: str, host: str, port: int) -> None:
    if host:
        found.check(not host.isspace() and "/" not in host, f"{name}.host", "must be a host name")
        found.check(0 < port < 65536, f"{name}.port", "must be 1 to 65535")
    else:
        found.check(port == 0, f"{name}.host", "is needed beside a port")


def _check_dkim(found: Violations, channel: EmailChannel) -> None:
    dkim = channel.dkim
    if dkim.private_key:
        is_pem = dkim.private_key.lstrip().startswith("-----BEGIN ")
        found.check(is_pem, "dkim.private_key", "must be a private key in PEM form")
        found.check(dkim.selector, "dkim.selector", "is needed beside a private key")
    if dkim.selector:
        fine = _SELECTOR.fullmatch(dkim.selector)
        found.check(fine, "dkim.selector", "must be a DNS label")
        found.check(channel.identity, "identity", "is needed to sign with DKIM")


def check_rate(found: Violations, name: str, rate: int) -> None:
    """Note a rate that is none."""
    found.check(0 <= rate <= _MOST_RATE, name, f"must be 0 to {_MOST_RATE}")
