"""What providers call us with over HTTP, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from services.messaging.domain.channels import EmailChannel, SmsChannel
from services.messaging.domain.ledger import Receipt
from services.messaging.domain.outbound import InboundSms, MailReport
from services.messaging.domain.push_channels import PushChannel
from services.messaging.domain.voice_channel import VoiceChannel

TWILIO: Final = "TWILIO"
AMAZON_SNS: Final = "AMAZON_SNS"
Channel = EmailChannel | SmsChannel | VoiceChannel | PushChannel
Report = Receipt | MailReport | InboundSms
"""A receipt is of the part `provider_id` or, with our own id in it, of the whole message."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A call as it came. `url` is the public one with its query; header names in lower case."""

    app_id: str
    channel_type: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
