"""A batch as a worker sees it: what is said, who asked, to whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.messaging.domain.ledger import Origin
from services.messaging.domain.push.words import PushWords
from services.messaging.domain.rendering import Content
from services.messaging.domain.webhooks import CustomWords


@dataclass(slots=True)
class Recipient:
    """One recipient; `endpoint` holds the values that the content asks for."""

    message_id: str
    endpoint_id: str
    address: str
    user_id: str
    substitutions: Mapping[str, object]
    endpoint: Mapping[str, object] | None = None
    body_override: str = ""
    title_override: str = ""
    context: Mapping[str, str] | None = None
    raw_content: str = ""

    @property
    def client_id(self) -> str:
        """Whom events name: the endpoint, else the address."""
        return self.endpoint_id or self.address


@dataclass(frozen=True, slots=True)
class Words:
    """What a content says, compiled. Each channel reads its own fields; `raw` is a whole mail."""

    content: Content
    from_address: str = ""
    reply_to: tuple[str, ...] = ()
    raw: bytes = b""
    is_tracked: bool = False
    is_unsubscribable: bool = False
    origination_number: str = ""
    sender_id: str = ""
    entity_id: str = ""
    template_id: str = ""
    push: PushWords | None = None
    language_code: str = ""
    voice_id: str = ""
    custom: CustomWords | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """A batch without its recipients. `messages_per_second` 0 means no limit of its own."""

    batch_id: str
    dispatch_id: str
    origin: Origin
    channel_type: str
    message_type: str
    content_id: str
    treatment_id: str
    expire_time: datetime | None
    messages_per_second: int
    context: Mapping[str, str]
    trace_id: str
