"""Dispatches by push through the real gateway: contents, channels that are off, lanes, rates."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import channels_service_pb2, message_pb2
from touchpoint.messaging.v1 import dispatch_service_pb2 as pb

from libs.ids import new_id
from tests.integration.messaging.gateway_support import (
    METADATA,
    Gateway,
    running_gateway,
    submission,
)
from tests.support.running import refusal

pytestmark = pytest.mark.servers
APNS, SANDBOX = channel_pb2.CHANNEL_TYPE_APNS, channel_pb2.CHANNEL_TYPE_APNS_SANDBOX
ADM, BAIDU = channel_pb2.CHANNEL_TYPE_ADM, channel_pb2.CHANNEL_TYPE_BAIDU
GCM = channel_pb2.CHANNEL_TYPE_GCM
PUSH = message_pb2.MessageContent(push=message_pb2.PushContent(title="Hi", body="You"))


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    async with running_gateway(mongo_uri, amqp_url, database_prefix) as running:
        yield running


async def _create(
    gateway: Gateway, app_id: str, contents: Mapping[Any, message_pb2.MessageContent], rate: int = 0
) -> tuple[str, list[int]]:
    dispatch_id = new_id()
    request = pb.CreateDispatchRequest(
        application_id=app_id,
        dispatch_id=dispatch_id,
        messages_per_second=rate,
        contents=[
            pb.DispatchContent(
                treatment_id="0",
                channel_type=one,
                content=content,
            )
            for one, content in contents.items()
        ],
    )
    answer = await gateway.dispatch.CreateDispatch(request, metadata=METADATA)
    return dispatch_id, list(answer.disabled_channels)


async def _submit(gateway: Gateway, app_id: str, dispatch_id: str, channel: int, count: int) -> int:
    who = [
        message_pb2.SendRecipient(endpoint_id=f"e{channel}-{n}", address=f"Token{channel}-{n}")
        for n in range(count)
    ]
    answer = await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, who, channel), metadata=METADATA
    )
    queued: int = answer.queued_count
    return queued


async def test_every_push_channel_takes_a_push_content(gateway: Gateway) -> None:
    app_id = new_id()
    voip = (channel_pb2.CHANNEL_TYPE_APNS_VOIP, channel_pb2.CHANNEL_TYPE_APNS_VOIP_SANDBOX)
    every: list[int] = [APNS, SANDBOX, GCM, ADM, BAIDU, *voip]
    dispatch_id, off = await _create(gateway, app_id, dict.fromkeys(every, PUSH))
    assert set(off) == set(every)
    for channel in every:
        assert await _submit(gateway, app_id, dispatch_id, channel, 2) == 2
    batches = await gateway.published(dispatch_id)
    assert {one.channel_type for one in batches} == set(every)
    assert {one.address for batch in batches for one in batch.recipients} == {
        f"Token{channel}-{n}" for channel in every for n in range(2)
    }


async def test_a_channel_that_is_on_is_not_reported(gateway: Gateway) -> None:
    app_id = new_id()
    await _adm(gateway, app_id, 0)
    _, off = await _create(gateway, app_id, {ADM: PUSH, GCM: PUSH})
    assert off == [GCM]


async def test_a_content_of_another_kind_is_refused(gateway: Gateway) -> None:
    sms = message_pb2.MessageContent(sms=message_pb2.SmsContent(body="Hi"))
    wrong = {GCM: sms, channel_pb2.CHANNEL_TYPE_SMS: PUSH, channel_pb2.CHANNEL_TYPE_VOICE: PUSH}
    with pytest.raises(aio.AioRpcError) as caught:
        await _create(gateway, new_id(), wrong)
    assert refusal(caught.value).fields == {
        "contents[0].content",
        "contents[1].content",
        "contents[2].channel_type",
        "contents[2].content",
    }


async def _adm(gateway: Gateway, app_id: str, rate: int) -> None:
    adm = channels_service_pb2.AdmChannel(
        enabled=True, client_id="id", client_secret="secret", messages_per_second=rate
    )
    request = channels_service_pb2.UpdateAdmChannelRequest(application_id=app_id, adm_channel=adm)
    await gateway.channels.UpdateAdmChannel(request, metadata=METADATA)


@pytest.mark.parametrize(
    ("channel_rate", "own_rate", "seconds"), [(5, 0, 6), (0, 10, 3), (5, 2, 15), (0, 0, 0)]
)
async def test_the_time_left_follows_the_lowest_rate(
    gateway: Gateway, channel_rate: int, own_rate: int, seconds: int
) -> None:
    app_id = new_id()
    await _adm(gateway, app_id, channel_rate)
    dispatch_id, _ = await _create(gateway, app_id, {ADM: PUSH}, own_rate)
    assert await _submit(gateway, app_id, dispatch_id, ADM, 30) == 30
    request = pb.GetDispatchRequest(application_id=app_id, dispatch_id=dispatch_id)
    answer = await gateway.dispatch.GetDispatch(request, metadata=METADATA)
    assert (answer.open_count, answer.seconds_left) == (30, seconds)
    await gateway.published()
