"""Webhook secrets through the real gateway, and what workers sign with."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import holds_service_pb2 as holds
from touchpoint.messaging.v1 import webhooks_service_pb2 as pb
from touchpoint.messaging.v1 import webhooks_service_pb2_grpc as rpc

from libs.clock import SystemClock
from libs.ids import new_id
from libs.vault import Vault
from services.messaging.domain.webhooks import key_of
from services.messaging.store.erasure import ErasureStore
from services.messaging.store.webhook_secrets import WebhookSecretStore
from tests.integration.messaging.gateway_support import METADATA, Gateway, running_gateway
from tests.support.running import MASTER_KEY, refusal

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    async with running_gateway(mongo_uri, amqp_url, database_prefix) as made:
        yield made


def stub(gateway: Gateway) -> Any:
    return rpc.WebhooksServiceStub(gateway.grpc_channel)


async def test_the_secret_is_the_one_that_signs_and_changes_with_an_overlap(
    gateway: Gateway,
) -> None:
    app_id, store = new_id(), WebhookSecretStore(gateway.database, Vault(MASTER_KEY))
    asked = pb.GetWebhookSecretRequest(application_id=app_id)
    first = (await stub(gateway).GetWebhookSecret(asked, metadata=METADATA)).secret.secret
    assert len(key_of(first)) == 32
    renew = pb.RotateWebhookSecretRequest(application_id=app_id)
    second = (await stub(gateway).RotateWebhookSecret(renew, metadata=METADATA)).secret
    again = (await stub(gateway).GetWebhookSecret(asked, metadata=METADATA)).secret
    assert again.secret == second.secret != first
    signing = await store.in_force(app_id, SystemClock().now())
    assert [one.text for one in signing] == [second.secret, first]
    await ErasureStore(gateway.database).forget(app_id)
    assert await gateway.database["webhook_secrets"].find_one({"_id": app_id}) is None


@pytest.mark.parametrize("name", ["GetWebhookSecret", "RotateWebhookSecret"])
async def test_the_application_is_needed(gateway: Gateway, name: str) -> None:
    request = getattr(pb, f"{name}Request")()
    with pytest.raises(aio.AioRpcError) as refused:
        await getattr(stub(gateway), name)(request, metadata=METADATA)
    assert refusal(refused.value).fields == {"application_id"}


async def test_the_kill_switch_holds_the_channel(gateway: Gateway) -> None:
    scope = holds.HoldScope(channel_type=channel_pb2.CHANNEL_TYPE_CUSTOM)
    request = holds.HoldSendingRequest(application_id=new_id(), scope=scope, reason="hooks")
    made = await gateway.holds.HoldSending(request, metadata=METADATA)
    assert made.hold.scope == scope
