"""Rendering of a batch's messages into what its provider takes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from services.messaging.domain.channels import EmailChannel, SmsChannel
from services.messaging.domain.ledger import Reason
from services.messaging.domain.mime import Mail, Skeleton, header_line, with_headers
from services.messaging.domain.outbound import Outbound, OutboundEmail, OutboundSms
from services.messaging.domain.rendering import UNSUBSCRIBE_URL, RenderingFailed, Values
from services.messaging.domain.tracking import Link, Links, Token, tracked, unsubscribe_headers
from services.messaging.domain.work import Recipient, Words, Work

Sign = Callable[[bytes], bytes]
TokenMaker = Callable[[Work, Recipient], Token]
_UNSUBSCRIBE_PATH: Final = (UNSUBSCRIBE_URL,)
TRACE_HEADER: Final = "X-Trace-Id"
"""Where a recipient sees the caller's trace id (spec 6.1 `TraceId`)."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A message ready to be handed over, and the number of its parts."""

    recipient: Recipient
    outbound: Outbound
    parts: int = 1


class Composer(Protocol):
    """Makes messages of one batch."""

    source: str

    def compose(self, recipient: Recipient, now: datetime) -> Composed:
        """One message. Raises RenderingFailed."""
        ...


@dataclass(slots=True)
class EmailComposer:
    """Mails of one batch; `sign` puts the DKIM signature before a mail."""

    work: Work
    words: Words
    channel: EmailChannel
    links_url: str
    token_for: TokenMaker
    sign: Sign | None = None
    source: str = ""
    _skeleton: Skeleton = field(init=False)
    _return_domain: str = field(init=False)
    _wants_way_out: bool = field(init=False)

    def __post_init__(self) -> None:
        sender = self.words.from_address or self.channel.from_address
        domain = self.channel.identity
        self._skeleton = Skeleton(sender, self.words.reply_to, domain)
        self.source = self._skeleton.sender
        self._return_domain = self.channel.smtp.return_path_domain or self.source.rpartition("@")[2]
        self._wants_way_out = _UNSUBSCRIBE_PATH in self.words.content.variables

    def compose(self, recipient: Recipient, now: datetime) -> Composed:
        body = self._raw(recipient) if self.words.raw else self._rendered(recipient, now)
        if self.sign is not None:
            body = self.sign(body)
        sender = f"bounce+{recipient.message_id}@{self._return_domain}"
        mail = OutboundEmail(recipient.message_id, sender, recipient.address, body)
        return Composed(recipient, mail)

    def _raw(self, recipient: Recipient) -> bytes:
        raw = with_headers(self.words.raw, recipient.message_id, self._return_domain)
        trace_id = self.work.trace_id
        return header_line(TRACE_HEADER, trace_id).encode() + raw if trace_id else raw

    def _rendered(self, recipient: Recipient, now: datetime) -> bytes:
        words = self.words
        links = Links(self.links_url, self.token_for(self.work, recipient))
        substitutions = recipient.substitutions
        if self._wants_way_out:
            substitutions = {**substitutions, UNSUBSCRIBE_URL: links.to(Link.UNSUBSCRIBE)}
        rendered = words.content.render(
            Values(substitutions, recipient.endpoint),
            now,
            recipient.body_override,
            recipient.title_override,
        )
        html, headers = rendered.html, rendered.headers
        if words.is_tracked and html:
            html = tracked(html, links)
        if words.is_unsubscribable:
            headers += unsubscribe_headers(links)
        if self.work.trace_id:
            headers = _with_trace(headers, self.work.trace_id)
        mail = Mail(
            recipient.message_id, recipient.address, rendered.subject, html, rendered.text, headers
        )
        return self._skeleton.build(mail, now)


def _with_trace(headers: tuple[tuple[str, str], ...], trace_id: str) -> tuple[tuple[str, str], ...]:
    """The headers with the trace id; a content's own header of that name makes room."""
    kept = tuple(one for one in headers if one[0].lower() != TRACE_HEADER.lower())
    return (*kept, (TRACE_HEADER, trace_id))


@dataclass(slots=True)
class SmsComposer:
    """Texts of one batch, from the content's sender or the channel's."""

    work: Work
    words: Words
    channel: SmsChannel
    source: str = ""

    def __post_init__(self) -> None:
        words, channel = self.words, self.channel
        self.source = (
            words.origination_number
            or words.sender_id
            or channel.origination_number
            or channel.sender_id
        )

    def compose(self, recipient: Recipient, now: datetime) -> Composed:
        rendered = self.words.content.render(
            Values(recipient.substitutions, recipient.endpoint), now, recipient.body_override
        )
        if not rendered.text:
            raise RenderingFailed(Reason.RENDERING_FAILURE, "the text is empty")
        text = OutboundSms(
            recipient.message_id,
            self.source,
            recipient.address,
            rendered.text,
            self.words.entity_id,
            self.words.template_id,
        )
        return Composed(recipient, text, rendered.parts)
