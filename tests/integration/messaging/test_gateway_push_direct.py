"""Direct push sends through the real gateway: whose words win, what is refused, what is queued."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import direct_messages_pb2 as direct
from touchpoint.messaging.v1 import message_pb2
from touchpoint.messaging.v1 import messaging_service_pb2 as pb

from libs.ids import new_id
from libs.vault import Vault
from services.messaging.domain.push_channels import AdmChannel
from services.messaging.store.channels import ChannelStore
from services.messaging.store.contents import ContentStore
from tests.integration.messaging.gateway_support import METADATA, Gateway, running_gateway
from tests.support.desk import now
from tests.support.running import MASTER_KEY, refusal

pytestmark = pytest.mark.servers
ADM, GCM = channel_pb2.CHANNEL_TYPE_ADM, channel_pb2.CHANNEL_TYPE_GCM


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    async with running_gateway(mongo_uri, amqp_url, database_prefix) as running:
        yield running


@pytest.fixture
async def app_id(gateway: Gateway) -> str:
    made = new_id()
    channel = AdmChannel(enabled=True, client_id="a", client_secret="b")
    store = ChannelStore(gateway.database, Vault(MASTER_KEY))
    await store.save(made, "ADM", channel, now())
    return made


async def send(
    gateway: Gateway, app_id: str, addresses: dict[str, Any], **said: Any
) -> pb.SendMessagesResponse:
    request = pb.SendMessagesRequest(
        application_id=app_id,
        addresses=addresses,
        message_configuration=pb.DirectMessageConfiguration(**said),
    )
    answer: pb.SendMessagesResponse = await gateway.messaging.SendMessages(
        request, metadata=METADATA
    )
    return answer


def to(kind: int = ADM, **more: Any) -> pb.AddressConfiguration:
    return pb.AddressConfiguration(channel_type=kind, **more)  # type: ignore[arg-type]  # a number


async def said(gateway: Gateway) -> tuple[message_pb2.PushContent, message_pb2.SendRecipient]:
    """What the one message that waits says, and to whom."""
    [batch] = await gateway.published()
    body = await ContentStore(gateway.database).get(batch.content_id)
    assert body is not None
    return message_pb2.MessageContent.FromString(body).push, batch.recipients[0]


@pytest.mark.parametrize("count", [1, 2, 3])
async def test_the_nearest_words_win(gateway: Gateway, app_id: str, count: int) -> None:
    words: list[dict[str, Any]] = [
        {"default_message": pb.DefaultMessage(body="for any channel")},
        {"default_push_notification_message": direct.DefaultPushNotificationMessage(body="push")},
        {"adm_message": direct.AdmMessage(body="own", expires_after="60", consolidation_key="k")},
    ]
    given = {name: value for one in words[:count] for name, value in one.items()}
    answer = await send(gateway, app_id, {"token": to()}, **given)
    assert answer.result["token"].status_code == 200
    push, _ = await said(gateway)
    assert push.body == ("for any channel", "push", "own")[count - 1]
    if count == 3:
        assert (push.time_to_live, push.collapse_key) == (60, "k")


async def test_a_recipients_own_content_travels_with_it(gateway: Gateway, app_id: str) -> None:
    raw = json.dumps({"data": {"a": "b"}})
    answer = await send(
        gateway, app_id, {"token": to(raw_content=raw, title_override="T", context={"n": "1"})}
    )
    assert answer.result["token"].status_code == 200
    _, recipient = await said(gateway)
    assert (recipient.raw_content, recipient.title_override) == (raw, "T")
    assert dict(recipient.context) == {"n": "1"}


async def test_what_cannot_be_sent_says_what_and_where(gateway: Gateway, app_id: str) -> None:
    answer = await send(
        gateway,
        app_id,
        {
            "no json": to(raw_content="{"),
            "to\u00a0ken": to(),
            "off": to(GCM),
            "a@shop.example": to(channel_pb2.CHANNEL_TYPE_EMAIL, raw_content="{}"),
            "any": to(channel_pb2.CHANNEL_TYPE_PUSH),
        },
        default_message=pb.DefaultMessage(body="Hi"),
    )
    told = {address: result.status_message for address, result in answer.result.items()}
    assert {result.status_code for result in answer.result.values()} == {400}
    assert "must be a push token" in told["no json"]
    assert "must be a push token" in told["to\u00a0ken"]
    assert "the GCM channel is off" in told["off"]
    assert "raw_content: is for push notifications alone" in told["a@shop.example"]
    assert "PUSH cannot be sent to" in told["any"]
    assert await gateway.published() == []


async def test_every_bad_field_of_push_messages_is_named(gateway: Gateway, app_id: str) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await send(
            gateway,
            app_id,
            {"token": to()},
            apns_message=direct.ApnsMessage(
                collapse_id="x" * 65, apns_push_type="loud", preferred_authentication_method="X"
            ),
            adm_message=direct.AdmMessage(expires_after="soon", md5="x"),
            gcm_message=direct.GcmMessage(time_to_live=-1, priority="now"),
            baidu_message=direct.BaiduMessage(action=channel_pb2.PUSH_ACTION_URL),
        )
    assert refusal(caught.value).fields == {
        f"message_configuration.{name}"
        for name in (
            "apns_message.collapse_id",
            "apns_message.apns_push_type",
            "apns_message.preferred_authentication_method",
            "adm_message.expires_after",
            "adm_message.md5",
            "gcm_message.time_to_live",
            "gcm_message.priority",
            "baidu_message.url",
        )
    }
