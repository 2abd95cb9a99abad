"""Mails, texts and calls over AWS to their end: the links service takes what SNS posts."""

import itertools
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiobotocore.session import get_session
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
FORMS = {"EMAIL": "ann{}@mail.example", "SMS": "+120655501{}", "VOICE": "+120655501{}"}
# Everyone is met once: who bounced is suppressed from then on.
_PEOPLE = itertools.count(10)


@pytest.fixture(scope="module")
async def amazon() -> AsyncIterator[Sandbox]:
    async with sandbox() as box:
        yield box


@pytest.fixture(scope="module")
async def links_url() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture(scope="module")
async def gateway(
    mongo_uri: str, amqp_url: str, database_prefix: str, amazon: Sandbox, links_url: str
) -> AsyncIterator[Gateway]:
    given = common(mongo_uri, amqp_url, database_prefix, links_url=links_url)
    base = f"http://127.0.0.1:{amazon.ports.push}"
    async with running_gateway(
        mongo_uri, amqp_url, database_prefix, sns_url=f"{base}/aws-sns"
    ) as running:
        address = links_url.removeprefix("http://")
        links = LinksSettings(**given, http_listen=address, messaging_addr=running.address)
        async with (
            started(links, setup_links),
            worker(given, "email", ses_url=base),
            worker(given, "sms", aws_sms_url=f"{base}/aws-sms"),
            worker(given, "voice", aws_sms_url=f"{base}/aws-sms"),
        ):
            yield running


def channel_of(kind: str, app_id: str, topic: str) -> Any:
    """The request that puts a channel over AWS in force."""
    account = {
        "region": "eu-central-1",
        "access_key_id": "sandbox",
        "secret_access_key": "s",
        "configuration_set": topic.rpartition(":")[2],
        "event_topic_arn": topic,
    }
    number = "+12065550100"
    if kind == "EMAIL":
        email = channels.EmailChannel(
            enabled=True, from_address="a@shop.example", ses=channels.SesProvider(**account)
        )
        return channels.UpdateEmailChannelRequest(application_id=app_id, email_channel=email)
    if kind == "SMS":
        sms = channels.SmsChannel(
            enabled=True, origination_number=number, aws=channels.AwsSmsProvider(**account)
        )
        return channels.UpdateSmsChannelRequest(application_id=app_id, sms_channel=sms)
    voice = channels.VoiceChannel(
        enabled=True, origination_number=number, aws=channels.AwsVoiceProvider(**account)
    )
    return channels.UpdateVoiceChannelRequest(application_id=app_id, voice_channel=voice)


def address_of(kind: str) -> str:
    return FORMS[kind].format(next(_PEOPLE))


async def application(gateway: Gateway, amazon: Sandbox, links_url: str, kind: str) -> str:
    """An application whose topic is subscribed to, as its owner does it."""
    app_id = new_id()
    topic = f"arn:aws:sns:eu-central-1:123456789012:{app_id}"
    update = getattr(gateway.channels, f"Update{kind.capitalize()}Channel")
    await update(channel_of(kind, app_id, topic), metadata=METADATA)
    base = f"http://127.0.0.1:{amazon.ports.push}/aws-sns/"
    async with get_session().create_client(
        "sns",
        region_name="eu-central-1",
        endpoint_url=base,
        aws_access_key_id="sandbox",
        aws_secret_access_key="s",
    ) as sns:
        endpoint = f"{links_url}/callbacks/amazon-sns/{app_id}/{kind.lower()}"
        asked = await sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint)
        assert asked["SubscriptionArn"] == "pending confirmation"

        async def is_confirmed() -> bool:
            told = await sns.list_subscriptions_by_topic(TopicArn=topic)
            return bool(told["Subscriptions"])

        await eventually(is_confirmed)
    return app_id


async def sent(gateway: Gateway, app_id: str, kind: str, address: str) -> str:
    """Send a message; returns its id."""
    channel = channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{kind}")
    said = pb.DirectMessageConfiguration(
        email_message=pb.EmailMessage(
            simple_email=pb.SimpleEmail(
                subject=pb.SimpleEmailPart(data="Hi"), text_part=pb.SimpleEmailPart(data="Hi")
            )
        ),
        sms_message=pb.SmsMessage(body="Hi"),
        voice_message=direct.VoiceMessage(body="Hi"),
    )
    request = pb.SendMessagesRequest(
        application_id=app_id,
        addresses={address: pb.AddressConfiguration(channel_type=channel)},
        message_configuration=said,
    )
    answer: Any = await gateway.messaging.SendMessages(request, metadata=METADATA)
    return str(answer.result[address].message_id)


async def becomes(gateway: Gateway, message_id: str, state: State) -> Row:
    async def there() -> Row | None:
        row = (await gateway.ledger.rows_of([message_id]))[message_id]
        return row if row.state is state else None

    return await eventually(there)


@pytest.mark.parametrize(
    ("kind", "behaviour", "end"),
    [
        ("EMAIL", {"kind": "deliver", "copies": 3}, (State.DELIVERED, Reason.NONE)),
        ("EMAIL", {"kind": "bounce"}, (State.FAILED, Reason.HARD_BOUNCE)),
        ("EMAIL", {"kind": "bounce", "status": "4.4.7"}, (State.FAILED, Reason.SOFT_BOUNCE)),
        ("SMS", {"kind": "deliver", "copies": 3}, (State.DELIVERED, Reason.NONE)),
        ("SMS", {"kind": "deliver", "state": "REJECTD"}, (State.FAILED, Reason.CARRIER_BLOCKED)),
        ("SMS", {"kind": "deliver", "state": "UNDELIV"}, (State.FAILED, Reason.UNREACHABLE)),
        ("SMS", {"kind": "deliver", "state": "EXPIRED"}, (State.FAILED, Reason.EXPIRED)),
        ("VOICE", {"kind": "deliver"}, (State.DELIVERED, Reason.NONE)),
        ("VOICE", {"kind": "busy"}, (State.FAILED, Reason.BUSY)),
        ("VOICE", {"kind": "no-answer"}, (State.FAILED, Reason.NO_ANSWER)),
        ("VOICE", {"kind": "failed"}, (State.FAILED, Reason.PERMANENT_FAILURE)),
    ],
)
async def test_the_end_of_a_message_is_what_amazon_says(
    gateway: Gateway,
    amazon: Sandbox,
    links_url: str,
    kind: str,
    behaviour: dict[str, Any],
    end: tuple[State, Reason],
) -> None:
    app_id, address = await application(gateway, amazon, links_url, kind), address_of(kind)
    await amazon.behave(rule(kind, address, **behaviour))
    row = await becomes(gateway, await sent(gateway, app_id, kind, address), end[0])
    assert (row.state, row.reason) == end


@pytest.mark.parametrize("kind", list(FORMS))
async def test_a_message_whose_worker_died_is_decided_by_amazon(
    gateway: Gateway, amazon: Sandbox, links_url: str, kind: str
) -> None:
    """The worker dies after the call: the row says UNKNOWN, and no provider's id was noted."""
    app_id, address = await application(gateway, amazon, links_url, kind), address_of(kind)
    await amazon.behave(rule(kind, address, kind="deliver", after_ms=1500))
    message_id = await sent(gateway, app_id, kind, address)
    await becomes(gateway, message_id, State.SENT)
    await gateway.database["messages"].update_one(
        {"_id": message_id},
        {"$set": {"state": "UNKNOWN"}, "$unset": {"provider_ids": 1, "provider_account": 1}},
    )
    await becomes(gateway, message_id, State.DELIVERED)


async def test_complaints_suppress_and_are_counted_once(
    gateway: Gateway, amazon: Sandbox, links_url: str
) -> None:
    app_id = await application(gateway, amazon, links_url, "EMAIL")
    address = address_of("EMAIL")
    await amazon.behave(rule("EMAIL", address, kind="complain", copies=2))
    message_id = await sent(gateway, app_id, "EMAIL", address)

    async def complained() -> bool:
        return await gateway.database["complaints"].count_documents({"_id": message_id}) == 1

    await eventually(complained)
    found = await gateway.suppressions.blocked(app_id, "EMAIL", [], [address])
    assert found.addresses == {address: "COMPLAINT"}
    # That somebody complained does not unmake the delivery.
    await becomes(gateway, message_id, State.DELIVERED)


async def test_what_is_signed_wrongly_changes_nothing(
    gateway: Gateway, amazon: Sandbox, links_url: str
) -> None:
    app_id = await application(gateway, amazon, links_url, "SMS")
    address = address_of("SMS")
    await amazon.behave(rule("SMS", address, kind="deliver", signature="wrong"))
    before = await refused(amazon)
    message_id = await sent(gateway, app_id, "SMS", address)

    async def both_refused() -> bool:
        return await refused(amazon) == before + 2

    await eventually(both_refused)
    await becomes(gateway, message_id, State.SENT)
    row = (await gateway.ledger.rows_of([message_id]))[message_id]
    assert row.state is State.SENT


async def refused(amazon: Sandbox) -> int:
    """How many messages of SNS were not taken."""
    async with amazon.http.get("/stats") as answer:
        told = await answer.json(content_type=None)
    return int(told["reactions"]["failed"])
