"""Amazon's events over the gateway's RPC, against a real ledger: rows are reconciled by nobody."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import callbacks_service_pb2 as pb
from touchpoint.messaging.v1 import callbacks_service_pb2_grpc as rpc
from touchpoint.messaging.v1 import channels_service_pb2 as channels

from libs.ids import new_id
from services.messaging.domain.ledger import Origin, Outcome, Reason, Row, State
from services.messaging.store.ledger import Shared
from tests.integration.messaging.gateway_support import METADATA, Gateway, running_gateway
from tests.support.sns import TOPIC, Sns, running_sns

pytestmark = pytest.mark.servers
ACCOUNT = {
    "region": "eu-central-1",
    "access_key_id": "AKIA",
    "secret_access_key": "s",
    "event_topic_arn": TOPIC,
}
ADDRESSES = {"EMAIL": "ann@mail.example", "SMS": "+15550000001", "VOICE": "+15550000002"}


@pytest.fixture(scope="module")
async def sns() -> AsyncIterator[Sns]:
    async with running_sns() as running:
        yield running


@pytest.fixture(scope="module")
async def gateway(
    mongo_uri: str, amqp_url: str, database_prefix: str, sns: Sns
) -> AsyncIterator[Gateway]:
    async with running_gateway(mongo_uri, amqp_url, database_prefix, sns_url=sns.url) as running:
        yield running


@dataclass
class Sender:
    """An application that sends over Amazon."""

    gateway: Gateway
    sns: Sns
    app_id: str

    async def row(self, channel_type: str, state: State) -> str:
        """A message that stands as a worker, or its death, left it; returns its id."""
        message_id, token, ledger = new_id(), new_id(), self.gateway.ledger
        shared = Shared(
            Origin(self.app_id, "camp", "act"), new_id(), "b", channel_type, "0", "PROMOTIONAL",
            datetime.now(UTC),
        )  # fmt: skip
        await ledger.insert([(shared, [(message_id, "e1", ADDRESSES[channel_type])])])
        await ledger.resolve_and_claim([], "", [message_id], token, 30)
        if state is not State.CLAIMED:
            await ledger.resolve_and_claim([Outcome(message_id, state)], token, [], "", 30)
        return message_id

    async def hears(self, channel_type: str, body: bytes) -> None:
        """Hand over what SNS posts. Raises AioRpcError."""
        request = pb.TakeCallbackRequest(
            application_id=self.app_id,
            channel_type=channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{channel_type}"),
            source=pb.CALLBACK_SOURCE_AMAZON_SNS,
            url=f"https://l.example/callbacks/amazon-sns/{self.app_id}/{channel_type.lower()}",
            body=body,
        )
        stub = rpc.CallbacksServiceStub(self.gateway.grpc_channel)
        await stub.TakeCallback(request, metadata=METADATA)

    async def tells(self, channel_type: str, message_id: str, kind: str, **more: Any) -> Row:
        """Publish an event of a message; returns how the message stands then."""
        if channel_type == "EMAIL":
            event = {"eventType": kind, "mail": {"tags": {"message-id": [message_id]}}, **more}
        else:
            context = {"message-id": message_id}
            event = {"eventType": kind, "messageId": "aws-1", "context": context, **more}
        await self.hears(channel_type, self.sns.notification(event))
        return (await self.gateway.ledger.rows_of([message_id]))[message_id]


@pytest.fixture
async def sender(gateway: Gateway, sns: Sns) -> Sender:
    app_id = new_id()
    email = channels.EmailChannel(
        enabled=True, from_address="a@shop.example", ses=channels.SesProvider(**ACCOUNT)
    )
    sms = channels.SmsChannel(
        enabled=True, origination_number="+15550001111", aws=channels.AwsSmsProvider(**ACCOUNT)
    )
    voice = channels.VoiceChannel(enabled=True, aws=channels.AwsVoiceProvider(**ACCOUNT))
    for name, channel in (("Email", email), ("Sms", sms), ("Voice", voice)):
        request = getattr(channels, f"Update{name}ChannelRequest")(
            application_id=app_id, **{f"{name.lower()}_channel": channel}
        )
        await getattr(gateway.channels, f"Update{name}Channel")(request, metadata=METADATA)
    return Sender(gateway, sns, app_id)


@pytest.mark.parametrize(
    ("channel_type", "taken", "arrived"),
    [
        ("EMAIL", "Send", "Delivery"),
        ("SMS", "TEXT_SUCCESSFUL", "TEXT_DELIVERED"),
        ("VOICE", "VOICE_ANSWERED", "VOICE_COMPLETED"),
    ],
)
async def test_what_a_dead_worker_left_is_reconciled_without_a_hand(
    sender: Sender, channel_type: str, taken: str, arrived: str
) -> None:
    message_id = await sender.row(channel_type, State.UNKNOWN)
    assert (await sender.tells(channel_type, message_id, taken)).state is State.SENT
    assert (await sender.tells(channel_type, message_id, arrived)).state is State.DELIVERED
    # Late and repeated events take nothing back.
    assert (await sender.tells(channel_type, message_id, taken)).state is State.DELIVERED
    another = await sender.row(channel_type, State.UNKNOWN)
    assert (await sender.tells(channel_type, another, arrived)).state is State.DELIVERED


async def test_bounces_of_ses_suppress(sender: Sender) -> None:
    bounced = await sender.row("EMAIL", State.SENT)
    bounce = {"bounceType": "Permanent", "bouncedRecipients": [{"status": "5.1.1"}]}
    row = await sender.tells("EMAIL", bounced, "Bounce", bounce=bounce)
    assert (row.state, row.reason) == (State.FAILED, Reason.HARD_BOUNCE)
    address = ADDRESSES["EMAIL"]
    found = await sender.gateway.suppressions.blocked(sender.app_id, "EMAIL", [], [address])
    assert found.addresses == {address: "BOUNCE"}


async def test_carriers_tell_why_a_text_did_not_arrive(sender: Sender) -> None:
    message_id = await sender.row("SMS", State.SENT)
    row = await sender.tells(
        "SMS", message_id, "TEXT_CARRIER_BLOCKED", messageStatusDescription="Blocked as spam"
    )
    assert (row.state, row.reason, row.detail) == (
        State.FAILED, Reason.CARRIER_BLOCKED, "Blocked as spam",
    )  # fmt: skip


async def test_events_of_another_applications_messages_change_nothing(
    sender: Sender, gateway: Gateway
) -> None:
    other = Sender(gateway, sender.sns, new_id())
    message_id = await other.row("EMAIL", State.UNKNOWN)
    assert (await sender.tells("EMAIL", message_id, "Delivery")).state is State.UNKNOWN


async def test_a_forged_event_is_refused(sender: Sender) -> None:
    message_id = await sender.row("EMAIL", State.UNKNOWN)
    event = {"eventType": "Delivery", "mail": {"tags": {"message-id": [message_id]}}}
    forged = sender.sns.notification(event, Signature="AAAA")
    with pytest.raises(aio.AioRpcError) as caught:
        await sender.hears("EMAIL", forged)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    rows = await sender.gateway.ledger.rows_of([message_id])
    assert rows[message_id].state is State.UNKNOWN
