"""Texts and calls over Twilio to their end: the links service takes what Twilio calls back with."""

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import channels_service_pb2 as channels
from touchpoint.messaging.v1 import direct_messages_pb2 as direct
from touchpoint.messaging.v1 import messaging_service_pb2 as pb

from libs.chassis.run import started
from libs.ids import new_id
from services.links.config import Settings as LinksSettings
from services.links.setup import setup as setup_links
from services.messaging.domain.ledger import Reason, Row, State
from tests.integration.messaging.gateway_support import METADATA, Gateway, running_gateway
from tests.support.desk import rule, worker
from tests.support.running import common
from tests.support.sandboxes import Sandbox, eventually, sandbox

pytestmark = pytest.mark.servers
SID = "AC" + "0" * 32
ACCOUNT = channels.TwilioProvider(account_sid=SID, auth_token="sandbox")
SMS = channels.SmsChannel(enabled=True, origination_number="+12065550100", twilio=ACCOUNT)
VOICE = channels.VoiceChannel(enabled=True, origination_number="+12065550100", twilio=ACCOUNT)


@pytest.fixture(scope="module")
async def phones() -> AsyncIterator[Sandbox]:
    async with sandbox() as box:
        yield box


@pytest.fixture(scope="module")
async def gateway(
    mongo_uri: str, amqp_url: str, database_prefix: str, phones: Sandbox
) -> AsyncIterator[Gateway]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    given = common(mongo_uri, amqp_url, database_prefix, links_url=f"http://{address}")
    twilio = f"http://127.0.0.1:{phones.ports.push}"
    async with running_gateway(mongo_uri, amqp_url, database_prefix) as running:
        links = LinksSettings(**given, http_listen=address, messaging_addr=running.address)
        async with (
            started(links, setup_links),
            worker(given, "sms", twilio_url=twilio),
            worker(given, "voice", twilio_url=twilio),
        ):
            yield running


async def application(gateway: Gateway) -> str:
    app_id = new_id()
    await gateway.channels.UpdateSmsChannel(
        channels.UpdateSmsChannelRequest(application_id=app_id, sms_channel=SMS),
        metadata=METADATA,
    )
    await gateway.channels.UpdateVoiceChannel(
        channels.UpdateVoiceChannelRequest(application_id=app_id, voice_channel=VOICE),
        metadata=METADATA,
    )
    return app_id


async def sent(gateway: Gateway, kind: str, number: str) -> str:
    """Send a text or place a call; returns the message's id."""
    channel = channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{kind}")
    said = pb.DirectMessageConfiguration(
        sms_message=pb.SmsMessage(body="Hi"), voice_message=direct.VoiceMessage(body="Hi")
    )
    request = pb.SendMessagesRequest(
        application_id=await application(gateway),
        addresses={number: pb.AddressConfiguration(channel_type=channel)},
        message_configuration=said,
    )
    answer: Any = await gateway.messaging.SendMessages(request, metadata=METADATA)
    return str(answer.result[number].message_id)


async def becomes(gateway: Gateway, message_id: str, state: State) -> Row:
    async def there() -> Row | None:
        row = (await gateway.ledger.rows_of([message_id]))[message_id]
        return row if row.state is state else None

    return await eventually(there)


@pytest.mark.parametrize(
    ("kind", "behaviour", "state", "reason"),
    [
        ("SMS", {"kind": "deliver", "copies": 3}, State.DELIVERED, Reason.NONE),
        ("SMS", {"kind": "deliver", "state": "REJECTD"}, State.FAILED, Reason.CARRIER_BLOCKED),
        ("SMS", {"kind": "deliver", "state": "UNDELIV"}, State.FAILED, Reason.UNREACHABLE),
        ("VOICE", {"kind": "deliver"}, State.DELIVERED, Reason.NONE),
        (
            "SMS",
            {"kind": "deliver", "state": "UNDELIV", "error": "30005"},
            State.FAILED,
            Reason.INVALID_ADDRESS,
        ),
        ("VOICE", {"kind": "busy"}, State.FAILED, Reason.BUSY),
        ("VOICE", {"kind": "no-answer"}, State.FAILED, Reason.NO_ANSWER),
        ("VOICE", {"kind": "failed"}, State.FAILED, Reason.PERMANENT_FAILURE),
    ],
)
async def test_the_end_of_a_message_is_what_twilio_says(
    gateway: Gateway,
    phones: Sandbox,
    kind: str,
    behaviour: dict[str, Any],
    state: State,
    reason: Reason,
) -> None:
    number = "+12065550161"
    await phones.behave(rule(kind, number, **behaviour))
    row = await becomes(gateway, await sent(gateway, kind, number), state)
    assert row.reason is reason


async def test_a_text_whose_worker_died_is_decided_by_twilio(
    gateway: Gateway, phones: Sandbox
) -> None:
    """The worker dies after the call: the row says UNKNOWN, and no provider's id was noted."""
    await phones.behave(rule("SMS", "+12065550162", kind="deliver", after_ms=1000))
    message_id = await sent(gateway, "SMS", "+12065550162")
    await becomes(gateway, message_id, State.SENT)
    await gateway.database["messages"].update_one(
        {"_id": message_id},
        {"$set": {"state": "UNKNOWN"}, "$unset": {"provider_ids": 1, "provider_account": 1}},
    )
    row = await becomes(gateway, message_id, State.DELIVERED)
    assert row.provider_ids[0].startswith("SM")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("deliver", "initiated ringing answered completed"),
        ("busy", "initiated busy"),
        ("no-answer", "initiated ringing no_answer"),
        ("failed", "initiated failed"),
    ],
)
async def test_a_call_is_told_from_its_beginning_to_its_end(
    gateway: Gateway, phones: Sandbox, kind: str, names: str
) -> None:
    number = "+12065550171"
    await phones.behave(rule("VOICE", number, kind=kind, copies=2))
    wanted = [f"_voice.{name}" for name in names.split()]
    heard: dict[str, str] = {}
    async with gateway.hearing() as hear:
        message_id = await sent(gateway, "VOICE", number)

        async def told() -> bool:
            for event in await hear():
                if event.attributes["message_id"] == message_id:
                    heard[event.event_id] = event.event_type
            return set(heard.values()) >= set(wanted)

        await eventually(told)
    # Each once, though Twilio said its last word twice.
    assert sorted(heard.values()) == sorted(wanted)


async def test_what_twilio_did_not_sign_changes_nothing(gateway: Gateway, phones: Sandbox) -> None:
    forged, honest = "+12065550181", "+12065550182"
    await phones.behave(rule("SMS", forged, kind="deliver", signature="wrong", after_ms=0))
    one = await sent(gateway, "SMS", forged)
    await becomes(gateway, await sent(gateway, "SMS", honest), State.DELIVERED)
    await becomes(gateway, one, State.SENT)
