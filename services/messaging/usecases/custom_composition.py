"""Messages to webhooks: each is its endpoint, and what all of a batch share."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from services.messaging.domain.outbound import OutboundWebhook
from services.messaging.domain.webhooks import (
    CustomChannel,
    WebhookCall,
    endpoint_document,
    head_of,
)
from services.messaging.domain.work import Recipient, Words, Work
from services.messaging.usecases.composition import Composed


@dataclass(slots=True)
class CustomComposer:
    """Messages of one batch to the webhook of its content."""

    work: Work
    words: Words
    channel: CustomChannel
    source: str = ""
    _call: WebhookCall = field(init=False)

    def __post_init__(self) -> None:
        custom, origin = self.words.custom, self.work.origin
        if custom is None:
            raise TypeError("the content of a custom batch names no webhook")
        campaign = {
            "CampaignId": origin.campaign_id,
            "TreatmentId": self.work.treatment_id,
            "ActivityId": origin.activity_id,
        }
        head = head_of(custom, origin.app_id, campaign)
        self._call = WebhookCall(custom.delivery_uri, origin.app_id, head, self.channel.keys)

    def compose(self, recipient: Recipient, now: datetime) -> Composed:  # noqa: ARG002 - as others
        known = recipient.endpoint or {"ChannelType": "CUSTOM", "Address": recipient.address}
        outbound = OutboundWebhook(
            recipient.message_id,
            recipient.endpoint_id or recipient.address,
            json.dumps(endpoint_document(known), ensure_ascii=False).encode(),
            self._call,
        )
        return Composed(recipient, outbound)
