"""Calls from a direct send to the phone: words, voices, and what is refused."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import channels_service_pb2 as channels
from touchpoint.messaging.v1 import direct_messages_pb2 as direct
from touchpoint.messaging.v1 import messaging_service_pb2 as pb

from libs.ids import new_id
from services.messaging.domain.ledger import State
from tests.integration.messaging.gateway_support import METADATA, Gateway, running_gateway
from tests.support.desk import rule, worker
from tests.support.running import common
from tests.support.sandboxes import Sandbox, eventually, sandbox

pytestmark = pytest.mark.servers
VOICE = channel_pb2.CHANNEL_TYPE_VOICE
ACCOUNT = channels.TwilioProvider(account_sid="AC" + "0" * 32, auth_token="sandbox")
CHANNEL = channels.VoiceChannel(
    enabled=True, origination_number="+12065550100", language_code="en-US", twilio=ACCOUNT
)


@pytest.fixture(scope="module")
async def phones() -> AsyncIterator[Sandbox]:
    async with sandbox() as box:
        yield box


@pytest.fixture(scope="module")
async def gateway(
    mongo_uri: str, amqp_url: str, database_prefix: str, phones: Sandbox
) -> AsyncIterator[Gateway]:
    given = common(mongo_uri, amqp_url, database_prefix)
    url = f"http://127.0.0.1:{phones.ports.push}"
    async with (
        running_gateway(mongo_uri, amqp_url, database_prefix) as running,
        worker(given, "voice", twilio_url=url, aws_sms_url=f"{url}/aws-sms"),
    ):
        yield running


async def call(
    gateway: Gateway,
    to: dict[str, pb.AddressConfiguration],
    said: direct.VoiceMessage,
    channel: channels.VoiceChannel = CHANNEL,
) -> Any:
    app_id = new_id()
    await gateway.channels.UpdateVoiceChannel(
        channels.UpdateVoiceChannelRequest(application_id=app_id, voice_channel=channel),
        metadata=METADATA,
    )
    request = pb.SendMessagesRequest(
        application_id=app_id,
        addresses=to,
        message_configuration=pb.DirectMessageConfiguration(voice_message=said),
    )
    return await gateway.messaging.SendMessages(request, metadata=METADATA)


def to(**more: Any) -> pb.AddressConfiguration:
    return pb.AddressConfiguration(channel_type=VOICE, **more)


async def becomes(gateway: Gateway, message_id: str, state: State) -> None:
    async def there() -> bool:
        return (await gateway.ledger.rows_of([message_id]))[message_id].state is state

    await eventually(there)


async def test_a_call_speaks_the_words_in_the_channels_language(
    gateway: Gateway, phones: Sandbox
) -> None:
    number, other = "+12065550142", "+12065550143"
    values = {"Name": channel_pb2.StringList(values=["Tom & Ann"])}
    said = direct.VoiceMessage(body="<speak>Hi {{Name}} <break/></speak>", voice_id="Joanna")
    wanted = {number: to(substitutions=values), other: to(substitutions=values)}
    answer = await call(gateway, wanted, said)
    assert {one.status_code for one in answer.result.values()} == {200}

    async def both() -> bool:
        return {number, other} <= set(await phones.counts("VOICE"))

    await eventually(both)
    [first] = await phones.messages("VOICE", number)
    say = '<Say language="en-US" voice="Polly.Joanna">'
    assert first["body"] == f"<Response>{say}Hi Tom &amp; Ann <break/></Say></Response>"
    assert first["from"] == "+12065550100"


async def test_a_number_that_is_none_is_refused_and_one_the_provider_refuses_fails(
    gateway: Gateway, phones: Sandbox
) -> None:
    await phones.behave(rule("VOICE", "+12065550144", kind="reject"))
    said = direct.VoiceMessage(body="Hi")
    answer = await call(gateway, {"12": to(), "+12065550144": to()}, said)
    assert answer.result["12"].status_code == 400
    await becomes(gateway, answer.result["+12065550144"].message_id, State.FAILED)


async def test_a_channel_without_an_account_calls_nobody(gateway: Gateway) -> None:
    without = channels.VoiceChannel(enabled=True)
    answer = await call(gateway, {"+12065550145": to()}, direct.VoiceMessage(body="Hi"), without)
    await becomes(gateway, answer.result["+12065550145"].message_id, State.SKIPPED)


async def test_a_call_goes_over_amazon(gateway: Gateway, phones: Sandbox) -> None:
    number = "+12065550146"
    account = channels.AwsVoiceProvider(
        region="eu-central-1", access_key_id="sandbox", secret_access_key="not-shown"
    )
    channel = channels.VoiceChannel(
        enabled=True, origination_number="+12065550100", voice_id="Joanna", aws=account
    )
    answer = await call(gateway, {number: to()}, direct.VoiceMessage(body="Hi"), channel)
    await becomes(gateway, answer.result[number].message_id, State.SENT)
    [placed] = await phones.messages("VOICE", number)
    assert (placed["body"], placed["from"]) == ("Hi", "+12065550100")


async def test_nobody_is_called_more_than_five_times_a_day(gateway: Gateway) -> None:
    number, other = "+12065550147", "+12065550148"
    said = direct.VoiceMessage(body="Hi")
    for _ in range(5):
        answer = await call(gateway, {number: to()}, said)
        assert answer.result[number].status_code == 200
    # Each call was another application's: the limit is the recipient's.
    answer = await call(gateway, {number: to(), other: to()}, said)
    assert answer.result[number].status_code == 429
    assert "5 calls to one recipient" in answer.result[number].status_message
    assert answer.result[other].status_code == 200
