"""A real gateway for tests: its channel, its stores, and what its queues were given."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aio_pika
from grpc import aio
from touchpoint.analytics.v1 import event_pb2, events_pb2
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import (
    channels_service_pb2,
    channels_service_pb2_grpc,
    dead_letters_service_pb2_grpc,
    decisions_service_pb2_grpc,
    dispatch_service_pb2,
    dispatch_service_pb2_grpc,
    holds_service_pb2_grpc,
    lanes_service_pb2_grpc,
    message_pb2,
    messaging_service_pb2_grpc,
    otp_service_pb2_grpc,
)

from libs.bus.topology import CHANNELS, EVENTS, LANES, message_queue
from libs.chassis.run import started
from libs.ids import new_id
from libs.mongo.client import Database, new_client
from services.messaging.config import Settings
from services.messaging.setup.gateway import setup_gateway
from services.messaging.store.batches import BatchStore
from services.messaging.store.ledger import LedgerStore
from services.messaging.store.suppressions import SuppressionStore
from tests.support.running import PEER_TOKEN, common

METADATA = (("authorization", f"Peer {PEER_TOKEN}"),)
EMAIL = channel_pb2.CHANNEL_TYPE_EMAIL
SMS = channel_pb2.CHANNEL_TYPE_SMS
T = TypeVar("T")


@dataclass
class Gateway:
    """A running gateway and what tests look at behind it."""

    messaging: Any
    dispatch: Any
    channels: Any
    database: Database
    amqp_url: str
    grpc_channel: aio.Channel
    address: str = ""

    @property
    def otp(self) -> Any:
        return otp_service_pb2_grpc.OtpServiceStub(self.grpc_channel)

    @property
    def ledger(self) -> LedgerStore:
        return LedgerStore(self.database)

    @property
    def batches(self) -> BatchStore:
        return BatchStore(self.database)

    @property
    def suppressions(self) -> SuppressionStore:
        return SuppressionStore(self.database)

    @property
    def decisions(self) -> Any:
        return decisions_service_pb2_grpc.DecisionsServiceStub(self.grpc_channel)

    @property
    def dead_letters(self) -> Any:
        return dead_letters_service_pb2_grpc.DeadLettersServiceStub(self.grpc_channel)

    @property
    def holds(self) -> Any:
        return holds_service_pb2_grpc.HoldsServiceStub(self.grpc_channel)

    @property
    def lanes(self) -> Any:
        return lanes_service_pb2_grpc.LanesServiceStub(self.grpc_channel)

    async def published(self, dispatch_id: str = "") -> list[message_pb2.SendBatch]:
        """Take everything that waits in the four lanes; returns what is of the dispatch."""
        connection = await aio_pika.connect(self.amqp_url)
        found = []
        async with connection:
            channel = await connection.channel()
            for name in (message_queue(c, lane).name for c in CHANNELS for lane in LANES):
                queue = await channel.get_queue(name)
                while (one := await queue.get(fail=False, no_ack=True)) is not None:
                    found.append(message_pb2.SendBatch.FromString(one.body))
        # The clock may feed what an earlier test left behind.
        return [batch for batch in found if dispatch_id in {"", batch.dispatch_id}]

    async def published_ids(self, dispatch_id: str = "") -> list[str]:
        """Ids of the messages that wait in the lanes, in order, repeats included."""
        return sorted(
            one.message_id
            for batch in await self.published(dispatch_id)
            for one in batch.recipients
        )

    @asynccontextmanager
    async def hearing(self) -> AsyncIterator[Callable[[], Awaitable[list[event_pb2.Event]]]]:
        """Listen to the events of messaging; the function lent takes those that came."""
        connection = await aio_pika.connect(self.amqp_url)
        async with connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange(EVENTS.name)
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(exchange, "messaging.events")

            async def heard() -> list[event_pb2.Event]:
                found: list[event_pb2.Event] = []
                while (one := await queue.get(fail=False, no_ack=True)) is not None:
                    found += events_pb2.EventBatch.FromString(one.body).events
                return found

            yield heard

    async def rows(self, dispatch_id: str) -> dict[str, dict[str, Any]]:
        """Ledger documents of a dispatch by address and endpoint id, such as `a@x.example/e1`."""
        found = await self.database["messages"].find({"dispatch_id": dispatch_id}).to_list(None)
        return {f"{one['address']}/{one['endpoint_id']}": one for one in found}


@asynccontextmanager
async def running_gateway(
    mongo_uri: str, amqp_url: str, prefix: str, **more: Any
) -> AsyncIterator[Gateway]:
    settings = Settings(**common(mongo_uri, amqp_url, prefix, clock_tick_seconds=0.05, **more))
    client = new_client(mongo_uri, "gateway-tests")
    try:
        async with (
            started(settings, setup_gateway) as process,
            aio.insecure_channel(process.address) as channel,
        ):
            gateway = Gateway(
                messaging_service_pb2_grpc.MessagingServiceStub(channel),
                dispatch_service_pb2_grpc.DispatchServiceStub(channel),
                channels_service_pb2_grpc.ChannelsServiceStub(channel),
                client.get_database(f"{prefix}messaging"),
                amqp_url,
                channel,
                process.address,
            )
            await gateway.published()  # what an earlier module left in the shared broker
            yield gateway
    finally:
        client.close()


async def email_channel(gateway: Gateway, app_id: str) -> None:
    await gateway.channels.UpdateEmailChannel(
        channels_service_pb2.UpdateEmailChannelRequest(
            application_id=app_id,
            email_channel=channels_service_pb2.EmailChannel(
                enabled=True, from_address="Shop <hello@shop.example>"
            ),
        ),
        metadata=METADATA,
    )


async def sms_channel(gateway: Gateway, app_id: str, parts_per_second: int = 0) -> None:
    await gateway.channels.UpdateSmsChannel(
        channels_service_pb2.UpdateSmsChannelRequest(
            application_id=app_id,
            sms_channel=channels_service_pb2.SmsChannel(
                enabled=True, sender_id="SHOP", parts_per_second=parts_per_second
            ),
        ),
        metadata=METADATA,
    )


async def new_dispatch(gateway: Gateway, app_id: str, **more: Any) -> str:
    """Register a promotional dispatch that says something by email and SMS; returns its id."""
    dispatch_id = new_id()
    said = [
        (EMAIL, message_pb2.MessageContent(email=message_pb2.EmailContent(subject="Hi", text="T"))),
        (SMS, message_pb2.MessageContent(sms=message_pb2.SmsContent(body="Hi"))),
    ]
    request = dispatch_service_pb2.CreateDispatchRequest(
        application_id=app_id,
        dispatch_id=dispatch_id,
        origin=message_pb2.Origin(application_id=app_id, campaign_id=f"campaign-of-{dispatch_id}"),
        contents=[
            dispatch_service_pb2.DispatchContent(
                treatment_id="0", channel_type=one, content=content
            )
            for one, content in said
        ],
        **more,
    )
    await gateway.dispatch.CreateDispatch(request, metadata=METADATA)
    return dispatch_id


def recipients(count: int, first: int = 0) -> list[message_pb2.SendRecipient]:
    return [
        message_pb2.SendRecipient(endpoint_id=f"e{number}", address=f"p{number}@shop.example")
        for number in range(first, first + count)
    ]


def submission(
    app_id: str,
    dispatch_id: str,
    who: list[message_pb2.SendRecipient],
    channel_type: int = EMAIL,
) -> dispatch_service_pb2.SubmitRecipientsRequest:
    group = dispatch_service_pb2.RecipientGroup(
        treatment_id="0",
        channel_type=channel_type,  # type: ignore[arg-type]
        recipients=who,
    )
    return dispatch_service_pb2.SubmitRecipientsRequest(
        application_id=app_id, dispatch_id=dispatch_id, groups=[group]
    )


async def until(claim: Callable[[], Awaitable[T]], seconds: float = 30.0) -> T:
    """Ask until the answer is true; fails when the time is over."""
    async with asyncio.timeout(seconds):
        while not (answer := await claim()):  # noqa: ASYNC110 - a state, no event
            await asyncio.sleep(0.02)
    return answer
