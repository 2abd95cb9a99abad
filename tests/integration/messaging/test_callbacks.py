"""Callbacks over the gateway's RPC, against a real ledger."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

import grpc
import pytest
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import callbacks_service_pb2 as pb
from touchpoint.messaging.v1 import callbacks_service_pb2_grpc as rpc
from touchpoint.messaging.v1 import channels_service_pb2 as channels

from libs.ids import new_id
from services.messaging.adapters.twilio_callbacks import signature
from services.messaging.domain.ledger import Origin, Outcome, Reason, Row, State
from services.messaging.store.ledger import Entry, Shared
from tests.integration.messaging.gateway_support import METADATA, Gateway, running_gateway

pytestmark = pytest.mark.servers
SID, TOKEN = "AC" + "0" * 32, "token-of-the-account"


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    async with running_gateway(mongo_uri, amqp_url, database_prefix) as running:
        yield running


@dataclass
class Texter:
    """An application that texts over Twilio."""

    gateway: Gateway
    app_id: str

    async def row(self, state: State) -> str:
        """A message that stands as a worker, or its death, left it; returns its id."""
        message_id, token = new_id(), new_id()
        now = datetime.now(UTC)
        shared = Shared(
            Origin(self.app_id, "camp", "act"), new_id(), "b", "SMS", "0", "PROMOTIONAL", now
        )
        entry: Entry = (message_id, "e1", "+15550000001")
        ledger = self.gateway.ledger
        await ledger.insert([(shared, [entry])])
        await ledger.resolve_and_claim([], "", [message_id], token, 30)
        if state is not State.CLAIMED:
            await ledger.resolve_and_claim([Outcome(message_id, state)], token, [], "", 30)
        return message_id

    async def call(self, message_id: str, status: str, token: str = TOKEN, **more: str) -> None:
        """Call back as Twilio does. Raises AioRpcError."""
        url = f"https://l.example/callbacks/twilio/{self.app_id}/sms?message_id={message_id}"
        form = {"AccountSid": SID, "MessageSid": "SM1", **more}
        if status:
            form["MessageStatus"] = status
        request = pb.TakeCallbackRequest(
            application_id=self.app_id,
            channel_type=channel_pb2.CHANNEL_TYPE_SMS,
            source=pb.CALLBACK_SOURCE_TWILIO,
            url=url,
            headers={"x-twilio-signature": signature(token, url, form.items())},
            body=urlencode(form).encode(),
        )
        stub = rpc.CallbacksServiceStub(self.gateway.grpc_channel)
        await stub.TakeCallback(request, metadata=METADATA)

    async def stands(self, message_id: str) -> Row:
        return (await self.gateway.ledger.rows_of([message_id]))[message_id]


async def texter(gateway: Gateway) -> Texter:
    app_id = new_id()
    account = channels.TwilioProvider(account_sid=SID, auth_token=TOKEN)
    channel = channels.SmsChannel(enabled=True, origination_number="+15550001111", twilio=account)
    await gateway.channels.UpdateSmsChannel(
        channels.UpdateSmsChannelRequest(application_id=app_id, sms_channel=channel),
        metadata=METADATA,
    )
    return Texter(gateway, app_id)


@pytest.mark.parametrize("before", [State.SENT, State.UNKNOWN, State.CLAIMED])
async def test_a_delivered_text_is_delivered_whatever_its_worker_noted(
    gateway: Gateway, before: State
) -> None:
    one = await texter(gateway)
    message_id = await one.row(before)
    async with gateway.hearing() as heard:
        await one.call(message_id, "delivered")
        told = [event.event_type for event in await heard()]
        assert (await one.stands(message_id)).state is State.DELIVERED
        await one.call(message_id, "delivered")
        await one.call(message_id, "failed")
        assert (await one.stands(message_id)).state is State.DELIVERED
        assert {event.event_type for event in await heard()} <= {"_SMS.SUCCESS"}
    send = [] if before is State.SENT else ["_SMS.BUFFERED", "_campaign.send"]
    assert told == [*send, "_SMS.SUCCESS"]


async def test_a_text_that_twilio_has_is_sent_though_its_worker_died(gateway: Gateway) -> None:
    one = await texter(gateway)
    message_id, waits = await one.row(State.UNKNOWN), await one.row(State.CLAIMED)
    await one.call(message_id, "queued")
    await one.call(waits, "queued")
    row = await one.stands(message_id)
    assert (row.state, row.provider_ids) == (State.SENT, ("SM1",))
    # Its worker still has it, and notes more than Twilio says.
    assert (await one.stands(waits)).state is State.CLAIMED


async def test_a_failure_has_its_reason_and_an_opt_out_holds(gateway: Gateway) -> None:
    one = await texter(gateway)
    filtered, opted_out = await one.row(State.SENT), await one.row(State.SENT)
    await one.call(filtered, "undelivered", ErrorCode="30007")
    row = await one.stands(filtered)
    assert (row.state, row.reason) == (State.FAILED, Reason.CARRIER_BLOCKED)
    assert row.detail == "undelivered 30007"
    await one.call(opted_out, "failed", ErrorCode="21610")
    assert (await one.stands(opted_out)).reason is Reason.OPT_OUT
    blocked = await gateway.suppressions.blocked(one.app_id, "SMS", [], ["+15550000001"])
    assert blocked.has_address("+15550000001")


async def test_a_stop_by_text_holds_and_is_answered_once(gateway: Gateway) -> None:
    one, person = await texter(gateway), f"+1555{int(new_id()[:6], 16) % 10**7:07d}"
    said = {"SmsStatus": "received", "From": person, "To": "+15550001111", "Body": "Stop please"}
    await gateway.published()
    for _ in range(2):
        await one.call("", "", **said)
    blocked = await gateway.suppressions.blocked(one.app_id, "SMS", [], [person])
    assert blocked.has_address(person)
    answers = [one.recipients[0] for one in await gateway.published()]
    assert len({one.message_id for one in answers if one.address == person}) == 1
    # What comes over another network than the telephone is nobody's number.
    await one.call("", "", **said | {"From": "whatsapp:+15550009999"})
    await one.call("", "", **said | {"Body": "START", "MessageSid": "SM2"})
    assert not (await gateway.suppressions.blocked(one.app_id, "SMS", [], [person])).has_address(
        person
    )


async def test_a_wrong_signature_changes_nothing_and_tells_nothing(gateway: Gateway) -> None:
    one, nobody = await texter(gateway), Texter(gateway, new_id())
    message_id = await one.row(State.SENT)
    for asked in (one.call(message_id, "failed", "wrong"), nobody.call(message_id, "failed")):
        with pytest.raises(aio.AioRpcError) as caught:
            await asked
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert (await one.stands(message_id)).state is State.SENT


async def test_one_application_cannot_speak_of_anothers_message(gateway: Gateway) -> None:
    one, other = await texter(gateway), await texter(gateway)
    message_id = await other.row(State.SENT)
    await one.call(message_id, "failed")
    await one.call("nobody-knows-it", "delivered")
    assert (await one.stands(message_id)).state is State.SENT


async def test_what_is_missing_is_named(gateway: Gateway) -> None:
    stub = rpc.CallbacksServiceStub(gateway.grpc_channel)
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.TakeCallback(pb.TakeCallbackRequest(), metadata=METADATA)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    for name in ("application_id", "channel_type", "source", "url"):
        assert name in (caught.value.details() or "")
