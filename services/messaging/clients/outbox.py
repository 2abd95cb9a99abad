"""Send batches on their way to the workers: cut, serialized once, published with confirms."""

import asyncio
import hashlib
import json
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import message_pb2

from libs.bus.publisher import Outgoing, Publisher
from libs.bus.topology import Queue, message_queue
from libs.ids import derived_id, new_id
from libs.timestamps import to_timestamp
from services.messaging.domain.batches import BATCH_SIZE, Batch
from services.messaging.domain.ledger import MessageIds, Origin
from services.messaging.domain.recipients import SMS, normal_form

Recipient = message_pb2.SendRecipient
DEPTH_KEPT_SECONDS: Final = 0.5
_TYPE: Final = message_pb2.SendBatch.DESCRIPTOR.full_name


@dataclass(frozen=True, slots=True)
class Frame:
    """What all recipients of some batches have in common."""

    dispatch_id: str
    origin: Origin
    channel_type: str
    message_type: str
    content_id: str
    treatment_id: str
    expire_time: datetime | None
    messages_per_second: int = 0
    context: dict[str, str] = field(default_factory=dict)
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class Cut:
    """One batch, and (message id, endpoint id, address) of its recipients.

    `contexts` are those of messages that have one, as JSON, by message id.
    """

    frame: Frame
    batch: Batch
    recipients: Sequence[tuple[str, str, str]]
    contexts: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Cuts:
    """All batches of one call; recipients whose address came before, and those without any."""

    cuts: list[Cut] = field(default_factory=list)
    duplicates: list[tuple[Frame, str, str]] = field(default_factory=list)
    missing: list[tuple[Frame, str]] = field(default_factory=list)
    repeated_count: int = 0
    _seen: dict[str, str] = field(default_factory=dict)

    def add(self, frame: Frame, recipients: Iterable[Recipient], now: datetime) -> None:
        """Cut recipients into batches. Sets their message ids, and nothing else of them."""
        ids = MessageIds(frame.dispatch_id, frame.channel_type)
        fresh: list[Recipient] = []
        known: list[tuple[str, str, str]] = []
        normal, seen = normal_form(frame.channel_type), self._seen
        keeps_spelling = frame.channel_type != SMS
        for recipient in recipients:
            endpoint_id = recipient.endpoint_id
            said = recipient.address
            address = normal(said)
            if not address:
                self.missing.append((frame, endpoint_id))
                continue
            message_id = ids.of_address(address)
            if message_id in seen:
                self._again(frame, endpoint_id, said, seen[message_id])
                continue
            seen[message_id] = endpoint_id
            recipient.message_id = message_id
            if keeps_spelling:
                address = said
            elif address != said:
                recipient.address = address
            fresh.append(recipient)
            known.append((message_id, endpoint_id, address))
        for start in range(0, len(fresh), BATCH_SIZE):
            end = start + BATCH_SIZE
            self.cuts.append(_cut(frame, fresh[start:end], known[start:end], now))

    def _again(self, frame: Frame, endpoint_id: str, address: str, first: str) -> None:
        if endpoint_id.lower() == first.lower():
            self.repeated_count += 1
        else:
            self.duplicates.append((frame, endpoint_id, address))


def _cut(
    frame: Frame,
    recipients: Sequence[Recipient],
    known: Sequence[tuple[str, str, str]],
    now: datetime,
) -> Cut:
    # The same recipients always make the same batch, so that a repeated call finds it.
    ids = "".join(message_id for message_id, _, _ in known)
    batch_id = derived_id(frame.dispatch_id, "batch", frame.treatment_id, ids)
    message = message_pb2.SendBatch(
        batch_id=batch_id,
        dispatch_id=frame.dispatch_id,
        origin=message_pb2.Origin(
            application_id=frame.origin.app_id,
            campaign_id=frame.origin.campaign_id,
            activity_id=frame.origin.activity_id,
            request_id=frame.origin.request_id,
        ),
        channel_type=channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{frame.channel_type}"),
        message_type=channel_pb2.MessageType.Value(f"MESSAGE_TYPE_{frame.message_type}"),
        content_id=frame.content_id,
        treatment_id=frame.treatment_id,
        expire_time=to_timestamp(frame.expire_time),
        messages_per_second=frame.messages_per_second,
        context=frame.context,
        trace_id=frame.trace_id,
        recipients=recipients,
    )
    batch = Batch(
        batch_id,
        frame.origin.app_id,
        frame.dispatch_id,
        frame.channel_type,
        frame.message_type,
        message.SerializeToString(),
        now,
        frame.expire_time,
        size=len(recipients),
    )
    return Cut(frame, batch, known, _contexts(frame, recipients))


def _contexts(frame: Frame, recipients: Sequence[Recipient]) -> dict[str, str]:
    """What receipts are told (spec 6.1 `Context`): the call's, and over it the recipient's own."""
    return {
        one.message_id: json.dumps({**frame.context, **one.context})
        for one in recipients
        if frame.context or one.context
    }


def content_id(app_id: str, body: bytes) -> str:
    """The id of a serialized content: a hash of it, of its own in each application."""
    return hashlib.sha256(app_id.encode() + b"\0" + body).hexdigest()[:32]


def batch_id_of(body: bytes) -> str:
    """Id of a serialized batch. Raises DecodeError for what is none."""
    return message_pb2.SendBatch.FromString(body).batch_id


def message_ids(body: bytes) -> list[str]:
    """Ids of the messages of a serialized batch."""
    return [one.message_id for one in message_pb2.SendBatch.FromString(body).recipients]


def only(body: bytes, wanted: Collection[str]) -> bytes:
    """A serialized batch with only these messages left in it."""
    batch = message_pb2.SendBatch.FromString(body)
    kept = [recipient for recipient in batch.recipients if recipient.message_id in wanted]
    del batch.recipients[:]
    batch.recipients.extend(kept)
    return batch.SerializeToString()


class Outbox:
    """Publishes batches to the lanes and tells how full they are."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._depths: dict[str, tuple[float, int]] = {}
        self._lock = asyncio.Lock()

    async def publish(self, batches: Sequence[Batch], patience_seconds: float) -> None:
        """Publish and wait for every confirm. Raises DependencyUnavailable."""
        await self._publisher.publish(
            [Outgoing(one.routing_key, one.body, _TYPE, one.batch_id) for one in batches],
            patience_seconds,
        )

    async def publish_part(
        self, batch: Batch, message_ids_to_send: Collection[str], patience_seconds: float
    ) -> None:
        """Publish some messages of a batch once more, under the same ids."""
        body = only(batch.body, message_ids_to_send)
        sent = Outgoing(batch.routing_key, body, _TYPE, new_id())
        await self._publisher.publish([sent], patience_seconds)

    async def depth(self, routing_key: str) -> int:
        """Messages that wait in a lane and that no worker has, not older than half a second.

        Counted as if every batch were full. Raises DependencyUnavailable.
        """
        async with self._lock:
            told_at, depth = self._depths.get(routing_key, (0.0, 0))
            if time.monotonic() - told_at > DEPTH_KEPT_SECONDS:
                depth = await self.batches(routing_key) * BATCH_SIZE
                self._depths[routing_key] = (time.monotonic(), depth)
            return depth

    async def batches(self, routing_key: str) -> int:
        """Batches in a lane that no worker has, right now. Raises DependencyUnavailable."""
        return await self._publisher.depth(_queue(routing_key))


def _queue(routing_key: str) -> Queue:
    channel, _, lane = routing_key.partition(".")
    return message_queue(channel, lane)
