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
    _own: dict[str, tuple[Words, PushWords]] = field(default_factory=dict)

    def compose(self, recipient: Recipient, now: datetime) -> Composed:
        words, push = self._words_for(recipient.raw_content)
        rendered = words.content.render(
            Values(recipient.substitutions, recipient.endpoint),
            now,
            recipient.body_override,
            recipient.title_override,
        )
        context = {**self.work.context, **(recipient.context or {})}
        one = push.rendered(rendered, context)
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
        """The words of the batch, or with raw content in their place. Raises RenderingFailed."""
        found = self._own.get(raw_content)
        if found is None:
            found = self._own[raw_content] = self._made(raw_content)
        return found

    def _made(self, raw_content: str) -> tuple[Words, PushWords]:
        words, work = self.words, self.work
        if words.push is None:
            raise TypeError("the content of a push batch holds no notification")
        # What the notifications of a batch share is put in once.
        one = replace(words.push.notification, campaign=_campaign(work), trace_id=work.trace_id)
        if not raw_content:
            return words, PushWords(one)
        push = PushWords(replace(one, raw_content=raw_content))
        source = replace(words.content.source, text="", subject="", headers=push.texts)
        return replace(words, content=Content(source)), push


def _campaign(work: Work) -> Mapping[str, str]:
    origin = work.origin
    if not origin.campaign_id:
        return {}
    return {
        "campaign_id": origin.campaign_id,
        "campaign_activity_id": origin.activity_id,
        "treatment_id": work.treatment_id,
    }
