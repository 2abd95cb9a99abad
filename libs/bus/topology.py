"""The one table of exchanges, queues and bindings; publishers and consumers declare from it.

No timers in the broker: waiting is done by leased documents in MongoDB. Changing the arguments of
a queue that exists fails loudly; a change is a new name.
"""

from dataclasses import dataclass
from typing import Final

# Crashing consumers count as deliveries too, so the broker's own limit is only the last net;
# a handler that fails parks its message after `libs.bus.consumer.ATTEMPTS`.
DELIVERY_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Exchange:
    """An exchange; `kind` is `topic` or `direct`."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A quorum queue of one consumer, bound to one exchange; dead letters go to `<name>.dead`."""

    name: str
    exchange: Exchange
    routing_keys: tuple[str, ...]

    @property
    def dead(self) -> str:
        return f"{self.name}.dead"


EVENTS: Final = Exchange("touchpoint.events", "topic")
MESSAGES: Final = Exchange("touchpoint.messages", "direct")
DEAD: Final = Exchange("touchpoint.dead", "direct")

LANES: Final = ("transactional", "promotional")
CHANNELS: Final = ("email", "sms", "apns", "gcm", "adm", "baidu", "voice", "custom")


def message_queue(channel: str, lane: str) -> Queue:
    """The queue of one channel's lane."""
    return Queue(f"messaging.{channel}.{lane}", MESSAGES, (f"{channel}.{lane}",))


def deletion_queue(service: str) -> Queue:
    """Where a service hears of deleted applications."""
    return Queue(f"{service}.deletions", EVENTS, ("applications.deleted",))


ANALYTICS_EVENTS: Final = Queue("analytics.events", EVENTS, ("*.events",))
ENDPOINTS_ACTIVITY: Final = Queue(
    # Sends say nothing about what a person did; opens, clicks and app events do.
    "endpoints.activity",
    EVENTS,
    ("analytics.events", "links.events"),
)
ENDPOINTS_TOKENS: Final = Queue("endpoints.tokens", EVENTS, ("messaging.tokens_refused",))
SEGMENTATION_IMPORTS: Final = Queue("segmentation.imports", EVENTS, ("endpoints.segment_imported",))
CAMPAIGNS_SEGMENTS: Final = Queue("campaigns.segments", EVENTS, ("segmentation.deleted",))
