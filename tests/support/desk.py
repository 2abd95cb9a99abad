"""What the worker tests share: an application that sends, and eyes on what becomes of it."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from touchpoint.analytics.v1 import event_pb2, events_pb2
from touchpoint.messaging.v1 import message_pb2

from libs.bus.consumer import Consumer, Delivery, Pace
from libs.bus.publisher import Publisher
from libs.bus.topology import ANALYTICS_EVENTS, CHANNELS, LANES, MESSAGES, message_queue
from libs.ids import new_id
from libs.mongo.client import Database
from libs.vault import Vault
from services.messaging.clients.outbox import Cuts, Frame, Outbox, content_id
from services.messaging.config import Settings
from services.messaging.domain.batches import Batch
from services.messaging.domain.channels import EmailChannel, Security, Smpp, SmsChannel, Smtp
from services.messaging.domain.dispatch import Dispatch
from services.messaging.domain.families import APNS_TYPES, PUSH_TYPES
from services.messaging.domain.ledger import Origin, Row, State
from services.messaging.domain.push_channels import (
    AdmChannel,
    ApnsChannel,
    BaiduChannel,
    GcmChannel,
    PushChannel,
)
from services.messaging.setup.worker import setup
from services.messaging.store.batches import BatchStore
from services.messaging.store.channels import ChannelStore
from services.messaging.store.contents import ContentStore
from services.messaging.store.dispatches import DispatchStore
from services.messaging.store.lanes import LaneStore
from services.messaging.store.ledger import LedgerStore
from services.messaging.store.suppressions import SuppressionStore
from services.messaging.store.waiting import WaitingStore
from services.messaging.usecases.sharing import Sharing
from services.messaging.usecases.submission import Submission
from tests.support.keys import p256_key, pem, service_json
from tests.support.running import MASTER_KEY, running
from tests.support.sandboxes import Sandbox, eventually

LANE_QUEUES = [message_queue(channel, lane) for channel in CHANNELS for lane in LANES]


@dataclass
class Desk:
    """One application and everything it does with messaging's own parts."""

    database: Database
    publisher: Publisher
    app_id: str = field(default_factory=new_id)
    number: str = field(default_factory=lambda: f"+1555{random.randrange(10**7):07d}")

    def __post_init__(self) -> None:
        self.ledger = LedgerStore(self.database)
        self.batches = BatchStore(self.database)
        self.dispatches = DispatchStore(self.database)
        self.suppressions = SuppressionStore(self.database)
        self.contents = ContentStore(self.database)
        self.channels = ChannelStore(self.database, Vault(MASTER_KEY))
        self.outbox = Outbox(self.publisher)
        self.waiting = WaitingStore(self.database)
        self.sharing = Sharing(
            self.ledger, self.batches, self.waiting, LaneStore(self.database), self.outbox
        )
        self.submission = Submission(self.ledger, self.batches, self.outbox, self.sharing)

    async def open_email(self, box: Sandbox, **changes: Any) -> None:
        smtp = Smtp("127.0.0.1", box.ports.smtp, Security.NONE, return_path_domain="ret.example")
        channel = EmailChannel(
            enabled=True,
            from_address="Shop <shop@shop.example>",
            identity="shop.example",
            smtp=smtp,
        )
        await self.channels.save_email(self.app_id, replace(channel, **changes), now())

    async def open_sms(self, box: Sandbox, **changes: Any) -> None:
        smpp = Smpp("127.0.0.1", box.ports.smpp, "sandbox", "sandbox")
        channel = SmsChannel(enabled=True, origination_number=self.number, smpp=smpp)
        await self.channels.save_sms(self.app_id, replace(channel, **changes), now())

    async def open_push(self, channel_type: str = "GCM", **changes: Any) -> None:
        """Set a push channel up; where its service is, the worker's settings say."""
        await self.channels.save(
            self.app_id, channel_type, replace(_PUSH[channel_type](), **changes), now()
        )

    async def frame(self, channel_type: str = "EMAIL", **changes: Any) -> Frame:
        """A campaign's dispatch with a content, ready to be sent to people."""
        body = changes.pop("content", None) or _CONTENTS[channel_type]
        data = body.SerializeToString(deterministic=True)
        key = content_id(self.app_id, data)
        await self.contents.keep(self.app_id, {key: data}, now() + timedelta(days=1))
        origin = Origin(self.app_id, "camp", "act")
        frame = Frame(new_id(), origin, channel_type, "PROMOTIONAL", key, "0", None)
        frame = replace(frame, **changes)
        dispatch = Dispatch(
            frame.dispatch_id, origin, frame.message_type, frame.messages_per_second,
            frame.expire_time, (),
        )  # fmt: skip
        await self.dispatches.create(dispatch, now())
        return frame

    async def send(self, frame: Frame, people: Sequence[str]) -> list[str]:
        """Submit recipients; the endpoint id of each is its address. Returns the message ids."""
        cuts = Cuts()
        cuts.add(frame, [_recipient(person) for person in people], now())
        await self.submission.submit(cuts, (), now())
        return [message_id for cut in cuts.cuts for message_id, _, _ in cut.recipients]

    async def batch_of(self, message_id: str) -> Batch:
        row = (await self.ledger.rows_of([message_id]))[message_id]
        return (await self.batches.get([row.batch_id]))[0]

    async def rows(self, ids: Sequence[str]) -> list[Row]:
        found = await self.ledger.rows_of(ids)
        return [found[message_id] for message_id in ids]

    async def states(self, ids: Sequence[str]) -> Counter[str]:
        found = await self.ledger.states_of(ids)
        return Counter(state.value for state, _ in found.values())


def _apple() -> ApnsChannel:
    key = pem(p256_key())
    return ApnsChannel(
        enabled=True,
        bundle_id="com.example.shop",
        team_id="TEAM012345",
        token_key_id="KEY0123456",
        token_key=key,
    )


_PUSH: dict[str, Callable[[], PushChannel]] = {
    **dict.fromkeys(APNS_TYPES, _apple),
    "GCM": lambda: GcmChannel(enabled=True, service_json=service_json(), project_id="shop-1"),
    "ADM": lambda: AdmChannel(enabled=True, client_id="app", client_secret="sandbox"),
    "BAIDU": lambda: BaiduChannel(enabled=True, api_key="app", secret_key="sandbox"),
}
_SAID = message_pb2.MessageContent(push=message_pb2.PushContent(title="Hi {{Id}}", body="Hi"))
_CONTENTS = {
    **dict.fromkeys(PUSH_TYPES, _SAID),
    "EMAIL": message_pb2.MessageContent(
        email=message_pb2.EmailContent(subject="Hi {{Id}}", html="<p>Hi</p>", text="Hi")
    ),
    "SMS": message_pb2.MessageContent(sms=message_pb2.SmsContent(body="Hi")),
}


def webhook_content(box: Sandbox, app_id: str, name: str = "r") -> message_pb2.MessageContent:
    """What a campaign says to a receiver of the sandbox."""
    url = f"http://127.0.0.1:{box.ports.push}/webhooks/{app_id}/{name}"
    custom = message_pb2.CustomContent(delivery_uri=url, data="hello")
    custom.scheduled_time.FromDatetime(datetime(2026, 5, 1, 12, tzinfo=UTC))
    return message_pb2.MessageContent(custom=custom)


def now() -> datetime:
    return datetime.now(UTC)


def _recipient(person: str) -> message_pb2.SendRecipient:
    return message_pb2.SendRecipient(endpoint_id=f"e-{person}", address=person)


@dataclass
class Events:
    """Every event that was published, as analytics would take them."""

    found: list[event_pb2.Event] = field(default_factory=list)

    async def take(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self.found += events_pb2.EventBatch.FromString(delivery.body).events

    def of(self, app_id: str) -> list[event_pb2.Event]:
        return [event for event in self.found if event.application_id == app_id]

    def ids(self, app_id: str) -> Counter[str]:
        """How many different events of each type there are: repeats of an id count once."""
        return Counter({e.event_id: e.event_type for e in self.of(app_id)}.values())


@asynccontextmanager
async def publisher(amqp_url: str) -> AsyncIterator[Publisher]:
    made = Publisher(amqp_url, MESSAGES, "desk", LANE_QUEUES)
    await made.publish(())
    yield made
    await made.close()


def events_consumer(amqp_url: str, events: Events) -> Consumer:
    return Consumer(amqp_url, ANALYTICS_EVENTS, events.take, Pace(prefetch=100, batch_size=50))


@asynccontextmanager
async def worker(given: dict[str, Any], channel: str, **more: Any) -> AsyncIterator[None]:
    async with running(Settings(**{**given, **more}), partial(setup, channel=channel)):
        yield


async def settled(desk: Desk, ids: list[str], *expected: State) -> Counter[str]:
    """The states once every row is in one of the expected ones.

    Lanes are shared out meanwhile, as the clock of a gateway does: a batch may wait for its turn.
    """
    names = {state.value for state in expected}

    async def check() -> Counter[str] | None:
        await desk.sharing.share_out()
        states = await desk.states(ids)
        return states if set(states) <= names and states.total() == len(ids) else None

    return await eventually(check, 60)


async def counted(events: Events, desk: Desk, **expected: int) -> Counter[str]:
    """Events by type, `_campaign.send` written `campaign_send`, once they are as expected."""
    wanted = Counter({_event(name): count for name, count in expected.items()})

    async def check() -> bool:
        return events.ids(desk.app_id) == wanted

    try:
        await eventually(check)
    except TimeoutError:
        assert events.ids(desk.app_id) == wanted
    return wanted


def _event(name: str) -> str:
    return "_" + name.replace("_", ".", 1)


def people(count: int, name: str = "u") -> list[str]:
    return [f"{name}{n}@mail.example" for n in range(count)]


def rule(channel: str, to: str, **outcome: Any) -> dict[str, Any]:
    return {"match": {"channel": channel, "to": to}, "outcome": outcome}
