"""What a worker hands to a provider, and what comes back the other way."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.messaging.domain.outcomes import Answer
from services.messaging.domain.webhooks import WebhookCall

Answered = Callable[[], None]
"""To be called when the provider has answered for the part: by then it had it."""
Turn = Callable[[], Awaitable[Answered]]
"""Returns when the next part may be submitted, at once."""


@dataclass(frozen=True, slots=True)
class OutboundEmail:
    """A mail: its envelope, and its bytes with CRLF line ends."""

    message_id: str
    sender: str
    to: str
    body: bytes


@dataclass(frozen=True, slots=True)
class OutboundSms:
    """A text: `source` is a number, a short code or an alphanumeric sender id.

    `entity_id` and `template_id` are the registered ones of India (spec 7.11).
    """

    message_id: str
    source: str
    to: str
    text: str
    entity_id: str = ""
    template_id: str = ""


@dataclass(frozen=True, slots=True)
class OutboundPush:
    """A notification: `token` names the device, `body` is the whole request body.

    `headers` are those that its service reads (APNs: `apns-*`); `authentication` is KEY,
    CERTIFICATE or empty for the channel's way.
    """

    message_id: str
    token: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    authentication: str = ""


@dataclass(frozen=True, slots=True)
class OutboundVoice:
    """A call: `text` is what is spoken, plain or the inside of an SSML `<speak>`."""

    message_id: str
    source: str
    to: str
    text: str
    is_ssml: bool = False
    language_code: str = ""
    voice_id: str = ""


@dataclass(frozen=True, slots=True)
class OutboundWebhook:
    """An endpoint for a webhook: `document` is its JSON, `call` what its batch shares."""

    message_id: str
    endpoint_id: str
    document: bytes
    call: WebhookCall


Outbound = OutboundEmail | OutboundSms | OutboundPush | OutboundVoice | OutboundWebhook


class Adapter(Protocol):
    """Speaks to one provider. Knows no queue, no ledger, no retries."""

    async def ready(self) -> bool:
        """Whether the provider can be reached; tries to reach it when the last try is long ago."""
        ...

    async def send(self, messages: Sequence[Outbound], turn: Turn | None = None) -> list[Answer]:
        """Submit a small batch; answers in its order. `turn` is awaited before each part."""
        ...


@dataclass(frozen=True, slots=True)
class InboundSms:
    """A text of a person to a number of ours; `inbound_id` is the same when it comes again.

    `account` is the key of the account on whose links it came.
    """

    inbound_id: str
    sender: str
    to: str
    text: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class PartReceipt:
    """What an SMS centre says about one part; `state` is the text of SMPP 3.4
    appendix B, `source` the sender of the message, `account` whose id `provider_id` is.
    """

    provider_id: str
    state: str
    error: str = ""
    source: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class MailReport:
    """What mail hosts report about a mail of ours: `kind` is `bounce` or `complaint`.

    `status` is the enhanced status of RFC 3463; `is_final` false says that the host still tries.
    """

    message_id: str
    kind: str
    status: str = ""
    detail: str = ""
    is_final: bool = True
