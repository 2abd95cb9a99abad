"""Calls of a batch, ready for whoever places them."""

from dataclasses import dataclass
from datetime import datetime

from services.messaging.domain.outbound import OutboundVoice
from services.messaging.domain.rendering import Values
from services.messaging.domain.speech import spoken
from services.messaging.domain.voice_channel import VoiceChannel
from services.messaging.domain.work import Recipient, Words, Work
from services.messaging.usecases.composition import Composed


@dataclass(slots=True)
class VoiceComposer:
    """Calls of one batch, from the content's number or the channel's."""

    work: Work
    words: Words
    channel: VoiceChannel
    source: str = ""

    def __post_init__(self) -> None:
        self.source = self.words.origination_number or self.channel.origination_number

    def compose(self, recipient: Recipient, now: datetime) -> Composed:
        values = Values(recipient.substitutions, recipient.endpoint)
        rendered = self.words.content.render(values, now, recipient.body_override)
        text, is_ssml = spoken(rendered)
        call = OutboundVoice(
            recipient.message_id,
            self.source,
            recipient.address,
            text,
            is_ssml,
            self.words.language_code or self.channel.language_code,
            self.words.voice_id or self.channel.voice_id,
        )
        return Composed(recipient, call)
