"""Applications and keys over real RPCs, with real MongoDB and RabbitMQ."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import aio
from pymongo import MongoClient
from touchpoint.applications.v1 import application_pb2, events_pb2
from touchpoint.applications.v1 import applications_service_pb2 as pb
from touchpoint.applications.v1 import applications_service_pb2_grpc as rpc
from touchpoint.common.v1 import access_pb2

from libs.bus.connection import connect, declare_queue
from libs.bus.topology import deletion_queue
from services.applications.config import Settings
from services.applications.setup import setup
from tests.support.running import Running, common, keyed, refusal, running

ROOT = ("TPROOTROOTROOTROOT22", "root-secret")


@pytest.fixture(scope="module")
async def service(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Running]:
    settings = Settings(
        **common(
            mongo_uri,
            amqp_url,
            database_prefix,
            bootstrap_access_key_id=ROOT[0],
            bootstrap_secret_access_key=ROOT[1],
            most_applications=30,
        )
    )
    async with running(settings, setup) as process:
        yield process


@pytest.fixture
async def root(service: Running) -> AsyncIterator[aio.Channel]:
    async with keyed(service.address, *ROOT) as channel:
        yield channel


async def _create(channel: aio.Channel, name: str) -> str:
    stub = rpc.ApplicationsServiceStub(channel)
    answer = await stub.CreateApplication(pb.CreateApplicationRequest(name=name))
    return answer.application.application_id


async def test_an_application_is_created_read_listed_and_deleted(root: aio.Channel) -> None:
    stub = rpc.ApplicationsServiceStub(root)
    app_id = await _create(root, "Shop")
    got = await stub.GetApplication(pb.GetApplicationRequest(application_id=app_id))
    assert got.application.name == "Shop"
    assert len(app_id) == 32
    listed = await stub.ListApplications(pb.ListApplicationsRequest())
    assert app_id in {a.application_id for a in listed.applications}
    await stub.DeleteApplication(pb.DeleteApplicationRequest(application_id=app_id))
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.GetApplication(pb.GetApplicationRequest(application_id=app_id))
    assert refusal(caught.value).reason == "RESOURCE_NOT_FOUND"


async def test_pages_hold_every_application_once(root: aio.Channel) -> None:
    stub = rpc.ApplicationsServiceStub(root)
    made = {await _create(root, f"Paged {n}") for n in range(5)}
    seen: list[str] = []
    token = ""
    while True:
        page = await stub.ListApplications(
            pb.ListApplicationsRequest(page_size=2, page_token=token)
        )
        assert len(page.applications) <= 2
        seen += [a.application_id for a in page.applications]
        token = page.next_page_token
        if not token:
            break
    assert made <= set(seen)
    assert len(seen) == len(set(seen))


async def test_bad_fields_are_all_named(root: aio.Channel) -> None:
    stub = rpc.ApplicationsServiceStub(root)
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.CreateApplication(pb.CreateApplicationRequest(name=" ", tags={"aws:x": "y"}))
    assert refusal(caught.value).fields == {"name", "tags[aws:x]"}
    app_id = await _create(root, "Settings")
    settings = application_pb2.ApplicationSettings(timezone="Mars/Olympus")
    settings.limits.daily = 101
    settings.quiet_time.start = "25:00"
    settings.quiet_time.end = "08:00"
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.UpdateApplicationSettings(
            pb.UpdateApplicationSettingsRequest(application_id=app_id, settings=settings)
        )
    told = refusal(caught.value)
    assert told.code == "INVALID_ARGUMENT"
    assert told.fields == {
        "settings.limits.daily",
        "settings.quiet_time.start",
        "settings.timezone",
    }
    kept = await stub.GetApplicationSettings(
        pb.GetApplicationSettingsRequest(application_id=app_id)
    )
    assert not kept.settings.HasField("limits")
    assert kept.settings.timezone == ""


async def test_settings_keep_the_parts_that_are_not_given(root: aio.Channel) -> None:
    stub = rpc.ApplicationsServiceStub(root)
    app_id = await _create(root, "Merge")
    first = application_pb2.ApplicationSettings(timezone="Europe/Berlin")
    first.limits.total = 3
    second = application_pb2.ApplicationSettings(
        on_missing_variable=application_pb2.MISSING_VARIABLE_POLICY_SKIP_MESSAGE
    )
    for change in (first, second):
        answer = await stub.UpdateApplicationSettings(
            pb.UpdateApplicationSettingsRequest(application_id=app_id, settings=change)
        )
    assert answer.settings.limits.total == 3
    assert answer.settings.timezone == "Europe/Berlin"
    policy = answer.settings.on_missing_variable
    assert policy == application_pb2.MISSING_VARIABLE_POLICY_SKIP_MESSAGE


async def test_a_key_opens_its_applications_and_no_other(
    service: Running, root: aio.Channel
) -> None:
    mine, other = await _create(root, "Mine"), await _create(root, "Other")
    keys = rpc.ApiKeysServiceStub(root)
    made = await keys.CreateApiKey(
        pb.CreateApiKeyRequest(role=access_pb2.ROLE_VIEWER, application_ids=[mine])
    )
    key = (made.api_key.access_key_id, made.secret_access_key)
    async with keyed(service.address, *key) as channel:
        stub = rpc.ApplicationsServiceStub(channel)
        await stub.GetApplication(pb.GetApplicationRequest(application_id=mine))
        listed = await stub.ListApplications(pb.ListApplicationsRequest())
        assert [a.application_id for a in listed.applications] == [mine]
        with pytest.raises(aio.AioRpcError) as caught:
            await stub.GetApplication(pb.GetApplicationRequest(application_id=other))
        assert refusal(caught.value).reason == "APPLICATION_FORBIDDEN"
        with pytest.raises(aio.AioRpcError) as caught:
            await stub.DeleteApplication(pb.DeleteApplicationRequest(application_id=mine))
        assert refusal(caught.value).reason == "ROLE_TOO_LOW"


@pytest.mark.parametrize(
    "key", [(ROOT[0], "wrong"), ("TPNOBODY", ROOT[1]), ("", "")], ids=["secret", "id", "empty"]
)
async def test_wrong_credentials_are_refused(service: Running, key: tuple[str, str]) -> None:
    async with keyed(service.address, *key) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await rpc.ApplicationsServiceStub(channel).ListApplications(
                pb.ListApplicationsRequest()
            )
    assert refusal(caught.value).reason == "UNAUTHENTICATED"


async def test_a_disabled_key_is_refused_at_once_here(service: Running, root: aio.Channel) -> None:
    keys = rpc.ApiKeysServiceStub(root)
    made = await keys.CreateApiKey(pb.CreateApiKeyRequest(role=access_pb2.ROLE_ADMIN))
    key_id = made.api_key.access_key_id
    await keys.UpdateApiKey(pb.UpdateApiKeyRequest(access_key_id=key_id, disabled=True))
    async with keyed(service.address, key_id, made.secret_access_key) as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await rpc.ApiKeysServiceStub(channel).ListApiKeys(pb.ListApiKeysRequest())
    assert refusal(caught.value).code == "UNAUTHENTICATED"


async def test_secrets_are_never_listed_nor_kept_readable(
    root: aio.Channel, mongo_uri: str, database_prefix: str
) -> None:
    keys = rpc.ApiKeysServiceStub(root)
    made = await keys.CreateApiKey(pb.CreateApiKeyRequest(role=access_pb2.ROLE_VIEWER))
    listed = await keys.ListApiKeys(pb.ListApiKeysRequest(page_size=1000))
    assert made.secret_access_key not in str(listed)
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        stored = list(client[f"{database_prefix}applications"]["api_keys"].find())
    assert made.secret_access_key not in str(stored)


async def test_deletion_is_announced_to_services_that_start_later(
    root: aio.Channel, amqp_url: str
) -> None:
    queue = deletion_queue("tests")
    connection = await connect(amqp_url, "tests")
    async with connection:
        channel = await connection.channel()
        declared = await declare_queue(channel, queue)
        app_id = await _create(root, "Gone")
        stub = rpc.ApplicationsServiceStub(root)
        await stub.DeleteApplication(pb.DeleteApplicationRequest(application_id=app_id))
        message = await declared.get(timeout=5, fail=True)
        assert message is not None
        assert message.message_id == app_id
        event = events_pb2.ApplicationDeleted.FromString(message.body)
        await message.ack()
    assert event.application_id == app_id
