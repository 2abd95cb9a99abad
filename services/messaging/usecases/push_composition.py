"""Notifications of a batch, ready for the service that takes them to the device."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.messaging.domain.outbound import OutboundPush
from services.messaging.domain.push import payload_of
from services.messaging.domain.push.words import PushWords
from services.messaging.domain.rendering import Content, Values
from services.messaging.domain.work import Recipient, Words, Work
from services.messaging.usecases.composition import Composed


@dataclass(slots=True)
class PushComposer:
    """Notifications of one batch; a recipient's own raw content overrides the batch's words."""

    work: Work
    words: Words
    source: str = ""
    _campaign: Mapping[str, str] = field(init=False)
    _own: dict[str, Words] = field(default_factory=dict)

    def __post_init__(self) -> None:
        origin = self.work.origin
        self._campaign = {}
        if origin.campaign_id:
            self._campaign = {
                "campaign_id": origin.campaign_id,
                "campaign_activity_id": origin.activity_id,
                "treatment_id": self.work.treatment_id,
            }

    def compose(self, recipient: Recipient, now: datetime) -> Composed:
        words, push = self._words_for(recipient.raw_content)
        rendered = words.content.render(
            Values(recipient.substitutions, recipient.endpoint),
            now,
            recipient.body_override,
            recipient.title_override,
        )
        context = {**self.work.context, **(recipient.context or {})}
        one = push.rendered(rendered, context, self._campaign)
        one = replace(one, trace_id=self.work.trace_id)
        payload = payload_of(self.work.channel_type, one, recipient.address, now)
        outbound = OutboundPush(
            recipient.message_id,
            recipient.address,
            payload.body,
            payload.headers,
            one.authentication,
        )
        return Composed(recipient, outbound)

    def _words_for(self, raw_content: str) -> tuple[Words, PushWords]:
        words = self.words
        if raw_content:
            words = self._own.get(raw_content) or self._with_raw(raw_content)
        if words.push is None:
            raise TypeError("the content of a push batch holds no notification")
        return words, words.push

    def _with_raw(self, raw_content: str) -> Words:
        """The words with raw content in the place of what they say. Raises RenderingFailed."""
        if self.words.push is None:
            return self.words
        push = PushWords(replace(self.words.push.notification, raw_content=raw_content))
        source = replace(self.words.content.source, text="", subject="", headers=push.texts)
        made = self._own[raw_content] = replace(self.words, content=Content(source), push=push)
        return made
