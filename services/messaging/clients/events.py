"""Events about messages on the bus: many to a message, serialized from shared prefixes."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from touchpoint.analytics.v1 import event_pb2, events_pb2
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import events_pb2 as messaging_events

from libs.bus.publisher import Outgoing, Publisher, outgoing
from libs.ids import new_id
from libs.timestamps import to_timestamp
from services.messaging.domain.certificates import Certificate
from services.messaging.domain.happenings import Happening

ROUTING_KEY: Final = "messaging.events"
TOKENS_ROUTING_KEY: Final = "messaging.tokens_refused"
CERTIFICATES_ROUTING_KEY: Final = "messaging.certificate_expiring"
_TYPE: Final = events_pb2.EventBatch.DESCRIPTOR.full_name
_TOKENS_TYPE: Final = messaging_events.TokensRefused.DESCRIPTOR.full_name
_EVENTS_TAG: Final = b"\x0a"  # field 1 of EventBatch, length-delimited


@dataclass(frozen=True, slots=True)
class Token:
    """A push token that is dead, or that `new_address` took the place of."""

    endpoint_id: str
    address: str
    new_address: str = ""


class EventBatch:
    """Events of one application that share attributes.

    Parts of a serialized message that follow each other are one message, so what all events of a
    type or moment share is serialized once and put before what is each one's own.
    """

    def __init__(self, app_id: str, shared: Mapping[str, str]) -> None:
        self._app_id = app_id
        self._shared = shared
        self._kinds: dict[str, tuple[bytes, bytes]] = {}
        self._at: datetime | None = None
        self._times = b""
        self._body: list[bytes] = []

    def __len__(self) -> int:
        return len(self._body)

    def extend(self, happenings: Iterable[Happening]) -> None:
        """Add events."""
        for one in happenings:
            self._body.append(self._encoded(one))

    def outgoing(self) -> Outgoing:
        """The message to publish; afterwards the batch is empty."""
        body, self._body = b"".join(self._body), []
        return Outgoing(ROUTING_KEY, body, _TYPE, new_id())

    def put_back(self, body: bytes) -> None:
        """Take back what could not be published."""
        self._body.insert(0, body)

    def _encoded(self, one: Happening) -> bytes:
        kind = self._kinds.get(one.event_type)
        if kind is None:
            kind = self._kinds[one.event_type] = self._kind(one.event_type)
        if one.at is not self._at:
            self._at, self._times = one.at, _times(one.at)
        prefix, hashed = kind
        subject = one.subject_id.encode()
        # What `derived_id(subject_id, event_type)` computes, in one stroke.
        digest = hashlib.sha256(b"%d:%b%b" % (len(subject), subject, hashed)).hexdigest()
        own = event_pb2.Event(
            event_id=digest[:32],
            client_id=one.client_id,
            user_id=one.user_id,
            attributes=one.attributes,
        ).SerializeToString()
        size = len(prefix) + len(self._times) + len(own)
        return b"%b%b%b%b%b" % (_EVENTS_TAG, _varint(size), prefix, self._times, own)

    def _kind(self, event_type: str) -> tuple[bytes, bytes]:
        """What all events of a type share, and the type as it goes into their ids."""
        shared = event_pb2.Event(
            event_type=event_type, application_id=self._app_id, attributes=self._shared
        )
        data = event_type.encode()
        return shared.SerializeToString(), b"%d:%b" % (len(data), data)


def _times(at: datetime) -> bytes:
    return event_pb2.Event(
        event_time=to_timestamp(at), arrival_time=to_timestamp(datetime.now(UTC))
    ).SerializeToString()


class EventPublisher:
    """Publishes events with confirm."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def publish(self, batch: EventBatch) -> None:
        """Publish what is in the batch and empty it. Raises DependencyUnavailable, keeping it."""
        if not len(batch):
            return
        message = batch.outgoing()
        try:
            await self._publisher.publish([message])
        except BaseException:
            batch.put_back(message.body)
            raise

    async def tell(
        self, app_id: str, shared: Mapping[str, str], happenings: Iterable[Happening]
    ) -> None:
        """Publish a few events at once."""
        batch = EventBatch(app_id, shared)
        batch.extend(happenings)
        await self.publish(batch)

    async def refuse_tokens(
        self, app_id: str, channel_type: str, tokens: Sequence[Token], at: datetime
    ) -> None:
        """Tell who keeps endpoints of tokens not to be used any more."""
        channel = channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{channel_type}")
        told = messaging_events.TokensRefused(
            application_id=app_id,
            refuse_time=to_timestamp(at),
            tokens=[
                messaging_events.RefusedToken(
                    endpoint_id=one.endpoint_id,
                    channel_type=channel,
                    address=one.address,
                    new_address=one.new_address,
                )
                for one in tokens
            ],
        )
        body = told.SerializeToString()
        await self._publisher.publish([Outgoing(TOKENS_ROUTING_KEY, body, _TOKENS_TYPE, new_id())])

    async def certificate_expiring(self, one: Certificate, now: datetime) -> None:
        """Tell whoever listens that a certificate ends soon, or has ended."""
        event = messaging_events.CertificateExpiring(
            application_id=one.app_id,
            channel_type=channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{one.channel_type}"),
            bundle_id=one.bundle_id,
            expire_time=to_timestamp(one.expire_time),
            days_left=math.floor(one.days_left(now)),
        )
        key = one.event_id(now)
        await self._publisher.publish([outgoing(CERTIFICATES_ROUTING_KEY, event, key)])


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
