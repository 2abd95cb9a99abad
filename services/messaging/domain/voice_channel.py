"""The voice channel: its settings, and what may be wrong with them (spec 6.6)."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from libs.errors import Violations
from services.messaging.domain.channels import Aws, check_aws
from services.messaging.domain.recipients import SMS, address_fault

CALLS_PER_MINUTE: Final = 20
_MOST_CALLS: Final = 1000
_ACCOUNT_SID: Final = re.compile(r"AC[0-9a-f]{32}")
_LANGUAGE: Final = re.compile(r"[a-z]{2,3}-[A-Z]{2}")
_PRICE: Final = re.compile(r"[0-9]{1,2}\.[0-9]{1,6}|[0-9]{1,2}")
_VOICE: Final = re.compile(r"[A-Za-z0-9.\-]{1,64}")


@dataclass(frozen=True, slots=True)
class VoiceChannel:
    """Settings of the voice channel; the account is one at Twilio, or of its kind, or at AWS."""

    enabled: bool
    origination_number: str = ""
    language_code: str = ""
    voice_id: str = ""
    account_sid: str = ""
    auth_token: str = field(default="", repr=False)
    calls_per_minute: int = 0
    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    configuration_set: str = ""
    event_topic_arn: str = ""
    max_price_per_minute: str = ""

    @property
    def aws(self) -> Aws | None:
        """The account at AWS, if it is one."""
        if not self.access_key_id:
            return None
        return Aws(
            self.region,
            self.access_key_id,
            self.secret_access_key,
            self.configuration_set,
            self.event_topic_arn,
        )


def check_voice(channel: VoiceChannel, kept: Collection[str]) -> Violations:
    """Every field of the settings that is wrong, by its name in `VoiceChannel`."""
    found = Violations()
    if channel.origination_number:
        fault = address_fault(SMS, channel.origination_number)
        found.check(not fault, "origination_number", fault)
    fine: object = not channel.language_code or _LANGUAGE.fullmatch(channel.language_code)
    found.check(fine, "language_code", "must be a language, such as en-US")
    fine = not channel.voice_id or _VOICE.fullmatch(channel.voice_id)
    found.check(fine, "voice_id", "must be up to 64 letters, digits, dots and hyphens")
    fine = not channel.account_sid or _ACCOUNT_SID.fullmatch(channel.account_sid)
    found.check(fine, "twilio.account_sid", "must be AC and 32 hexadecimal digits")
    has_token = channel.auth_token or "auth_token" in kept
    if channel.account_sid:
        found.check(has_token, "twilio.auth_token", "is needed beside an account")
    elif channel.auth_token:
        found.add("twilio.account_sid", "is needed beside a token")
    fine = 0 <= channel.calls_per_minute <= _MOST_CALLS
    found.check(fine, "calls_per_minute", f"must be 0 to {_MOST_CALLS}")
    _check_aws(found, channel, kept)
    return found


def _check_aws(found: Violations, channel: VoiceChannel, kept: Collection[str]) -> None:
    if channel.aws is None:
        given = channel.region or channel.secret_access_key or channel.event_topic_arn
        found.check(not given, "aws.access_key_id", "is needed beside the rest of an account")
        return
    found.check(not channel.account_sid, "aws", "must not be given together with twilio")
    check_aws(found, "aws", channel.aws)
    has_secret = channel.secret_access_key or "secret_access_key" in kept
    found.check(has_secret, "aws.secret_access_key", "is needed beside an access key")
    price = channel.max_price_per_minute
    fine = not price or _PRICE.fullmatch(price) is not None
    found.check(fine, "aws.max_price_per_minute", "must be an amount such as 0.05")
