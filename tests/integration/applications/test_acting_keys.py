"""Keys whose holder was verified by another service, and keys that ship inside an app."""

from collections.abc import AsyncIterator

import pytest
from grpc import aio
from touchpoint.applications.v1 import applications_service_pb2 as pb
from touchpoint.applications.v1 import applications_service_pb2_grpc as rpc
from touchpoint.common.v1 import access_pb2

from libs.chassis.interceptors.auth import ACTING_FOR
from services.applications.config import Settings
from services.applications.setup import setup
from tests.support.running import PEER_TOKEN, Running, common, keyed, refusal, running

ROOT = ("TPROOTROOTROOTROOT22", "root-secret")


@pytest.fixture(scope="module")
async def service(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Running]:
    more = {"bootstrap_access_key_id": ROOT[0], "bootstrap_secret_access_key": ROOT[1]}
    settings = Settings(**common(mongo_uri, amqp_url, database_prefix, **more))
    async with running(settings, setup) as process:
        yield process


async def _application(service: Running, name: str) -> str:
    stub = rpc.ApplicationsServiceStub(service.channel)
    made = await stub.CreateApplication(pb.CreateApplicationRequest(name=name))
    return made.application.application_id


async def _key(
    service: Running, role: access_pb2.Role.ValueType, *app_ids: str
) -> pb.CreateApiKeyResponse:
    stub = rpc.ApiKeysServiceStub(service.channel)
    return await stub.CreateApiKey(pb.CreateApiKeyRequest(role=role, application_ids=app_ids))


async def _as(address: str, app_id: str, *metadata: tuple[str, str]) -> str:
    """Ask for an application over a bare channel: OK, or why not."""
    async with aio.insecure_channel(address) as channel:
        stub = rpc.ApplicationsServiceStub(channel)
        try:
            request = pb.GetApplicationRequest(application_id=app_id)
            await stub.GetApplication(request, metadata=metadata)
        except aio.AioRpcError as error:
            return refusal(error).reason
        return "OK"


async def test_a_peer_acts_with_the_rights_of_the_key_it_names(service: Running) -> None:
    mine, other = await _application(service, "Mine"), await _application(service, "Other")
    key_id = (await _key(service, access_pb2.ROLE_VIEWER, mine)).api_key.access_key_id
    peer = ("authorization", f"Peer {PEER_TOKEN}")
    acting = (ACTING_FOR, key_id)
    assert await _as(service.address, mine, peer, acting) == "OK"
    assert await _as(service.address, other, peer, acting) == "APPLICATION_FORBIDDEN"
    assert await _as(service.address, mine, peer, (ACTING_FOR, "TPNOBODY")) == "UNAUTHENTICATED"
    disable = pb.UpdateApiKeyRequest(access_key_id=key_id, disabled=True)
    await rpc.ApiKeysServiceStub(service.channel).UpdateApiKey(disable)
    assert await _as(service.address, mine, peer, acting) == "UNAUTHENTICATED"


async def test_only_a_peer_may_act_for_a_key(service: Running) -> None:
    mine, other = await _application(service, "Mine"), await _application(service, "Other")
    key = await _key(service, access_pb2.ROLE_VIEWER, mine)
    own = ("authorization", f"Bearer {key.api_key.access_key_id}:{key.secret_access_key}")
    root = (ACTING_FOR, ROOT[0])
    assert await _as(service.address, other, own, root) == "APPLICATION_FORBIDDEN"
    wrong = ("authorization", "Peer not-the-token")
    assert await _as(service.address, mine, wrong, root) == "UNAUTHENTICATED"
    assert await _as(service.address, mine, root) == "UNAUTHENTICATED"


async def test_signing_keys_are_for_peers_alone(service: Running) -> None:
    made = await _key(service, access_pb2.ROLE_ADMIN)
    request = pb.ResolveSigningKeyRequest(access_key_id=made.api_key.access_key_id)
    told = await rpc.ApiKeysServiceStub(service.channel).ResolveSigningKey(request)
    assert told.secret_access_key == made.secret_access_key
    async with keyed(service.address, *ROOT) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await rpc.ApiKeysServiceStub(channel).ResolveSigningKey(request)
    assert refusal(caught.value).reason == "ROLE_TOO_LOW"


async def test_a_publishable_key_reads_nothing_and_names_its_applications(
    service: Running,
) -> None:
    app_id = await _application(service, "App")
    made = await _key(service, access_pb2.ROLE_PUBLISHABLE, app_id)
    own = ("authorization", f"Bearer {made.api_key.access_key_id}:{made.secret_access_key}")
    assert await _as(service.address, app_id, own) == "ROLE_TOO_LOW"
    with pytest.raises(aio.AioRpcError) as caught:
        await _key(service, access_pb2.ROLE_PUBLISHABLE)
    assert refusal(caught.value).fields == {"application_ids"}
