"""Import jobs over real RPCs: files in, endpoints and segments out, whatever dies in between."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from grpc import aio
from pymongo import MongoClient
from touchpoint.common.v1.channel_pb2 import CHANNEL_TYPE_EMAIL, CHANNEL_TYPE_SMS
from touchpoint.endpoints.v1 import audience_service_pb2 as audience_pb
from touchpoint.endpoints.v1 import audience_service_pb2_grpc as audience_rpc
from touchpoint.endpoints.v1 import endpoint_filter_pb2 as filters
from touchpoint.endpoints.v1 import endpoint_pb2 as resource
from touchpoint.endpoints.v1 import events_pb2
from touchpoint.endpoints.v1 import import_service_pb2 as pb
from touchpoint.endpoints.v1 import import_service_pb2_grpc as rpc

from libs.bus.connection import connect, declare_queue
from libs.bus.topology import SEGMENTATION_IMPORTS
from tests.integration.endpoints.conftest import PEER, Endpoints, eventually
from tests.support.running import common, refusal
from tests.support.spawned import spawned

ENDED = {pb.JOB_STATUS_COMPLETED, pb.JOB_STATUS_FAILED}
HEADERS = (
    "ChannelType,Address,Location.Country,Demographic.Timezone,Attributes.Interests"
    ",Attributes.Interests,User.UserId,Metrics.ltv,OptOut"
)
ROWS = [
    'SMS,+12065550182,US,America/New_York,Music,"Books, old",u-1,1.5,',
    "EMAIL,a@example.com,JP,,Music,,u-1,,ALL",
    "EMAIL,a@example.com,JP,,Travel,,u-1,,ALL",
    "",
    "EMAIL,b@example.com,JP,Mars/Olympus,,,,,",
    "FAX,123,,,,,,,",
    "EMAIL,c@example.com,JP,,,,,much,",
    'EMAIL,"d@example.com,JP,,,,,,',
    "EMAIL,e@example.com",
    ",,,,,,u-1,,",
]
CSV = b"\xef\xbb\xbf" + "\r\n".join([HEADERS, *ROWS]).encode()


def definition(app_id: str, **more: Any) -> pb.ImportJobDefinition:
    given = {"format": pb.IMPORT_FORMAT_CSV, "register_endpoints": True, **more}
    return pb.ImportJobDefinition(application_id=app_id, **given)


async def ended(service: Endpoints, app_id: str, job_id: str, seconds: float = 40) -> pb.ImportJob:
    async with asyncio.timeout(seconds):
        while True:
            job = await service.job(app_id, job_id)
            if job.job_status in ENDED:
                return job
            await asyncio.sleep(0.05)


async def imported(service: Endpoints, what: pb.ImportJobDefinition, data: bytes) -> pb.ImportJob:
    job = await service.upload(what, data, chunk=97)
    return await ended(service, what.application_id, job.job_id)


async def test_a_csv_file_becomes_endpoints_and_a_report(service: Endpoints, app_id: str) -> None:
    job = await imported(service, definition(app_id), CSV)
    assert job.job_status == pb.JOB_STATUS_COMPLETED
    assert (job.total_processed, job.total_failures) == (9, 5)
    assert [f.partition(":")[0] for f in job.failures] == [f"line {n}" for n in range(6, 11)]
    told = " ".join(job.failures)
    for part in ("Demographic.Timezone", "ChannelType", "Metrics.ltv must be a number", "quotes"):
        assert part in told
    report = job.report
    assert (report.created_count, report.updated_count) == (2, 2)
    assert report.duplicate_address_count == 1
    assert (report.missing_timezone_count, report.opted_out_count) == (3, 2)
    assert dict(report.channel_counts) == {"SMS": 1, "EMAIL": 2}
    (text,) = [e for e in await members(service, app_id) if e.channel_type == CHANNEL_TYPE_SMS]
    assert list(text.attributes["Interests"].values) == ["Music", "Books, old"]
    assert dict(text.metrics) == {"ltv": 1.5}
    (mail,) = [e for e in await members(service, app_id) if e.channel_type == CHANNEL_TYPE_EMAIL]
    assert list(mail.attributes["Interests"].values) == ["Travel"]
    assert mail.opt_out == resource.OPT_OUT_ALL


async def members(
    service: Endpoints, app_id: str, asked: filters.EndpointFilter | None = None
) -> list[resource.Endpoint]:
    batches = await service.stream(app_id, asked)
    return [resource.Endpoint.FromString(m.endpoint) for b in batches for m in b.members]


async def test_the_same_file_again_changes_no_ids(service: Endpoints, app_id: str) -> None:
    await imported(service, definition(app_id), CSV)
    before = await service.ids(app_id)
    job = await imported(service, definition(app_id), CSV)
    assert job.report.created_count == 0
    assert await service.ids(app_id) == before


async def test_a_json_file_becomes_endpoints(service: Endpoints, app_id: str) -> None:
    first = {
        "ChannelType": "EMAIL",
        "Address": "a@example.com",
        "User": {"UserId": "u-1", "UserAttributes": {"FirstName": ["Ana"]}},
        "Metrics": {"ltv": 120.5},
        "EffectiveDate": "2020-01-01T00:00:00Z",
    }
    rest = [
        '{"Id":"known","Attributes":{"Plan":["pro"]}}',
        '{"Id":"new","Attributes":{"Plan":["pro"]}}',
        '{"Id":"known","Metrics":{"ltv":"x"},"Wrong":1}',
        "[1]",
        '{"Id":',
    ]
    lines = "\n".join([json.dumps(first), *rest]).encode()
    await service.put(app_id, "known", address="+1", channel_type=CHANNEL_TYPE_SMS)
    job = await imported(service, definition(app_id, format=pb.IMPORT_FORMAT_JSON), lines)
    assert (job.total_processed, job.total_failures) == (6, 4)
    assert (job.report.created_count, job.report.updated_count) == (1, 1)
    told = {f.partition(":")[0]: f for f in job.failures}
    assert set(told) == {"line 3", "line 4", "line 5", "line 6"}
    assert "Address" in told["line 3"]
    assert "ChannelType" in told["line 3"]
    assert "Metrics.ltv" in told["line 4"]
    assert "Wrong" in told["line 4"]
    known = await service.get(app_id, "known")
    assert known.address == "+1"
    assert list(known.attributes["Plan"].values) == ["pro"]
    (mail,) = [e for e in await members(service, app_id) if e.channel_type == CHANNEL_TYPE_EMAIL]
    assert mail.effective_date.seconds > 1_700_000_000
    assert list(mail.user.user_attributes["FirstName"].values) == ["Ana"]


async def test_checking_only_writes_nothing_and_reports_the_same(
    service: Endpoints, app_id: str
) -> None:
    what = definition(app_id, validate_only=True)
    job = await imported(service, what, CSV)
    assert job.job_status == pb.JOB_STATUS_COMPLETED
    assert job.report.duplicate_address_count == 1
    assert job.report.created_count == 2
    assert (await service.count(app_id)).total_count == 0


async def test_a_segment_marks_its_members_and_is_told(
    service: Endpoints, app_id: str, amqp_url: str
) -> None:
    await service.put(app_id, "one", address="+1", channel_type=CHANNEL_TYPE_SMS)
    await service.put(app_id, "two", user=resource.User(user_id="u-2"))
    await service.put(app_id, "three", user=resource.User(user_id="u-2"))
    await service.put(app_id, "other")
    connection = await connect(amqp_url, "test")
    async with connection:
        queue = await declare_queue(await connection.channel(), SEGMENTATION_IMPORTS)
        await queue.purge()
        what = definition(
            app_id,
            register_endpoints=False,
            define_segment=True,
            segment_name="Lapsed",
            segment_id="seg-1",
        )
        data = b"Id,ChannelType,Address,User.UserId\nOne,,,\n,SMS,+1,\n,,,u-2\nnobody,,,\n"
        job = await imported(service, what, data)
        assert (job.total_processed, job.total_failures) == (4, 1)
        assert job.failures[0].startswith("line 5: Id")
        message = await queue.get(timeout=10)
        event = events_pb2.SegmentImported.FromString(message.body)
        await message.ack()
    assert (event.application_id, event.segment_id, event.segment_name) == (
        app_id,
        "seg-1",
        "Lapsed",
    )
    assert (event.size, event.job_id) == (3, job.job_id)
    asked = filters.EndpointFilter(imported=filters.ImportTest(segment_id="seg-1"))
    assert sorted(await service.ids(app_id, asked)) == ["one", "three", "two"]
    await service.put(app_id, "one", metrics={"m": 1})  # an update takes no membership away
    assert len(await service.ids(app_id, asked)) == 3


async def test_a_wrong_definition_or_file_is_refused(service: Endpoints, app_id: str) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await service.upload(
            definition(app_id, format=0, register_endpoints=False, source_url="x"), b""
        )
    assert {"definition.format", "definition.register_endpoints"} <= refusal(caught.value).fields
    with pytest.raises(aio.AioRpcError) as empty:
        await service.upload(definition(app_id), b"")
    assert refusal(empty.value).fields == {"definition.source_url"}
    with pytest.raises(aio.AioRpcError) as private:
        await service.upload(definition(app_id, source_url="https://10.0.0.1/x"), b"")
    assert refusal(private.value).reason == "URL_FORBIDDEN"
    job = await imported(service, definition(app_id), b"Address,Shoe,Hat\na,b,c\n")
    assert job.job_status == pb.JOB_STATUS_FAILED
    assert job.failures[0].startswith("line 1")
    assert "Shoe, Hat" in job.failures[0]
    assert job.failed_pieces == 1


@asynccontextmanager
async def file_server(data: bytes) -> AsyncIterator[str]:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=data)

    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPFound("/file")

    application = web.Application()
    application.add_routes([web.get("/file", serve), web.get("/moved", elsewhere)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def test_a_file_is_fetched_and_redirects_are_not_followed(
    service: Endpoints, app_id: str
) -> None:
    async with file_server(CSV) as base:
        job = await imported(service, definition(app_id, source_url=f"{base}/file"), b"")
        assert job.job_status == pb.JOB_STATUS_COMPLETED
        assert job.total_processed == 9
        moved = await imported(service, definition(app_id, source_url=f"{base}/moved"), b"")
    assert moved.job_status == pb.JOB_STATUS_FAILED
    assert "302" in moved.failures[0]


async def test_jobs_are_listed_newest_first_in_pages(service: Endpoints, app_id: str) -> None:
    made = [(await service.upload(definition(app_id), CSV)).job_id for _ in range(5)]
    for job_id in made:
        await ended(service, app_id, job_id)
    seen: list[str] = []
    token = ""
    while True:
        request = pb.ListImportJobsRequest(application_id=app_id, page_size=2, page_token=token)
        page = await service.imports.ListImportJobs(request)
        seen += [job.job_id for job in page.import_jobs]
        token = page.next_page_token
        if not token:
            break
    assert seen == made[::-1]
    with pytest.raises(aio.AioRpcError) as caught:
        await service.job(f"{app_id}x", made[0])
    assert refusal(caught.value).reason == "RESOURCE_NOT_FOUND"


def rows(count: int) -> bytes:
    head = "Id,ChannelType,Address,Attributes.Note,Metrics.n\n"
    note = "x" * 90
    return (
        head
        + "".join(f"e{n},EMAIL,p{n % (count - 7)}@example.com,{note},{n}\n" for n in range(count))
    ).encode()


@pytest.mark.timeout(240)
async def test_an_import_killed_again_and_again_has_exactly_the_files_content(
    mongo_uri: str, amqp_url: str, database_prefix: str, app_id: str
) -> None:
    settings = common(
        mongo_uri, amqp_url, f"{database_prefix}k_", import_lease_seconds=2, drain_seconds=0
    )
    count = 30_000
    process, address = await spawned("endpoints", settings)
    try:
        async with aio.insecure_channel(address) as channel:
            job_id = await _send(channel, definition(app_id), rows(count))
        with MongoClient[dict[str, Any]](mongo_uri) as mongo:
            database = mongo[f"{database_prefix}k_endpoints"]
            for least in (1_000, 12_000, 20_000):
                await _more_than(database, least)
                process.send_signal(signal.SIGKILL)
                await process.wait()
                left = database["import_jobs"].find_one({"_id": job_id}) or {}
                assert "lease_until" in left, "the job was done before it could be killed"
                process, address = await spawned("endpoints", settings)
        async with aio.insecure_channel(address) as channel:
            job = await _finished(channel, app_id, job_id)
            members = await _members(channel, app_id)
    finally:
        process.kill()
        await process.wait()
    assert (job.total_processed, job.total_failures) == (count, 0)
    assert (job.report.created_count, job.report.updated_count) == (count, 0)
    assert job.report.duplicate_address_count == 7
    assert {e.endpoint_id: e.metrics["n"] for e in members} == {f"e{n}": n for n in range(count)}
    active = [e for e in members if e.endpoint_status == resource.ENDPOINT_STATUS_ACTIVE]
    assert len(active) == count - 7


async def _more_than(database: Any, least: int) -> None:
    async def there() -> bool:
        count = await asyncio.to_thread(database["endpoints"].count_documents, {})
        return bool(count > least)

    await eventually(there)


async def _send(channel: aio.Channel, what: pb.ImportJobDefinition, data: bytes) -> str:
    async def pieces() -> AsyncIterator[pb.CreateImportJobRequest]:
        yield pb.CreateImportJobRequest(definition=what)
        for start in range(0, len(data), 1_000_000):
            yield pb.CreateImportJobRequest(chunk=data[start : start + 1_000_000])

    stub: Any = rpc.ImportServiceStub(channel)
    answer = await stub.CreateImportJob(pieces(), metadata=PEER, wait_for_ready=True)
    job_id: str = answer.import_job.job_id
    return job_id


async def _finished(channel: aio.Channel, app_id: str, job_id: str) -> pb.ImportJob:
    stub: Any = rpc.ImportServiceStub(channel)
    request = pb.GetImportJobRequest(application_id=app_id, job_id=job_id)
    async with asyncio.timeout(120):
        while True:
            answer = await stub.GetImportJob(request, metadata=PEER, wait_for_ready=True)
            job: pb.ImportJob = answer.import_job
            if job.job_status in ENDED:
                return job
            await asyncio.sleep(0.1)


async def _members(channel: aio.Channel, app_id: str) -> list[resource.Endpoint]:
    stub: Any = audience_rpc.AudienceServiceStub(channel)
    request = audience_pb.StreamAudienceRequest(application_id=app_id)
    return [
        resource.Endpoint.FromString(member.endpoint)
        async for batch in stub.StreamAudience(request, metadata=PEER)
        for member in batch.members
    ]
