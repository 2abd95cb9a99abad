"""Exports into an object store that speaks S3, and what an import makes of them."""

import asyncio
import gzip
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from grpc import aio
from pymongo import MongoClient
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2 as resource
from touchpoint.endpoints.v1 import endpoints_service_pb2 as endpoints_pb
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as endpoints_rpc
from touchpoint.endpoints.v1 import import_service_pb2 as import_pb
from touchpoint.endpoints.v1 import import_service_pb2_grpc as import_rpc
from touchpoint.segmentation.v1 import export_service_pb2 as pb
from touchpoint.segmentation.v1 import export_service_pb2_grpc as rpc
from touchpoint.segmentation.v1 import segment_pb2

from services.endpoints.config import Settings as EndpointsSettings
from services.endpoints.setup import setup as endpoints_setup
from services.segmentation.config import Settings
from services.segmentation.setup import setup
from tests.integration.segmentation.conftest import Desk
from tests.support.object_store import BUCKET, bucket_of
from tests.support.running import PEER_TOKEN, common, refusal, running
from tests.support.spawned import spawned

PEER = (("authorization", f"Peer {PEER_TOKEN}"),)
ENDED = {import_pb.JOB_STATUS_COMPLETED, import_pb.JOB_STATUS_FAILED}
UNIT = segment_pb2.AttributeDimension.ATTRIBUTE_TYPE_INCLUSIVE


@dataclass(frozen=True)
class Warehouse:
    """Segmentation and endpoints with an object store."""

    desk: Desk
    settings: dict[str, str]

    @property
    def exports(self) -> Any:
        return rpc.ExportServiceStub(self.desk.service.channel)

    @property
    def imports(self) -> Any:
        return import_rpc.ImportServiceStub(self.desk.endpoints.channel)

    async def order(self, app_id: str, prefix: str, segment_id: str = "") -> pb.ExportJob:
        definition = pb.ExportJobDefinition(
            segment_id=segment_id, target_url=f"s3://{BUCKET}/{prefix}"
        )
        request = pb.CreateExportJobRequest(application_id=app_id, definition=definition)
        answer: pb.CreateExportJobResponse = await self.exports.CreateExportJob(request)
        return answer.export_job

    async def exported(self, app_id: str, prefix: str, segment_id: str = "") -> pb.ExportJob:
        return await ended(
            self.exports, app_id, (await self.order(app_id, prefix, segment_id)).job_id
        )

    async def imported(self, app_id: str, url: str, kind: Any) -> import_pb.ImportJob:
        definition = import_pb.ImportJobDefinition(
            application_id=app_id, format=kind, register_endpoints=True, source_url=url
        )
        first = import_pb.CreateImportJobRequest(definition=definition)
        made = await self.imports.CreateImportJob(iter([first]), metadata=PEER)
        asked = import_pb.GetImportJobRequest(application_id=app_id, job_id=made.import_job.job_id)
        async with asyncio.timeout(60):
            while True:
                job: import_pb.ImportJob = (await self.imports.GetImportJob(asked)).import_job
                if job.job_status in ENDED:
                    return job
                await asyncio.sleep(0.05)

    def files(self, prefix: str) -> dict[str, list[dict[str, Any]]]:
        store = bucket_of(self.settings)
        found = store.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return {one["Key"]: _rows(store, one["Key"]) for one in found}

    async def all_of(self, app_id: str, ids: list[str]) -> list[resource.Endpoint]:
        stub: Any = endpoints_rpc.EndpointsServiceStub(self.desk.endpoints.channel)
        request = endpoints_pb.BatchGetEndpointsRequest(application_id=app_id, endpoint_ids=ids)
        return sorted(
            (await stub.BatchGetEndpoints(request)).endpoints, key=lambda e: str(e.endpoint_id)
        )


def _rows(store: Any, key: str) -> list[dict[str, Any]]:
    packed = store.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return [json.loads(line) for line in gzip.decompress(packed).splitlines()]


async def ended(stub: Any, app_id: str, job_id: str) -> pb.ExportJob:
    request = pb.GetExportJobRequest(application_id=app_id, job_id=job_id)
    async with asyncio.timeout(60):
        while True:
            job: pb.ExportJob = (await stub.GetExportJob(request)).export_job
            if job.job_status in ENDED:
                return job
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
async def warehouse(
    mongo_uri: str, amqp_url: str, database_prefix: str, object_store: dict[str, str]
) -> AsyncIterator[Warehouse]:
    more = {name.lower(): value for name, value in object_store.items()}
    shared = common(mongo_uri, amqp_url, database_prefix, s3_buckets=BUCKET, **more)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        endpoints = await enter(running(EndpointsSettings(**shared), endpoints_setup))
        settings = Settings(**shared, endpoints_addr=endpoints.address, export_piece_members=1)
        service = await enter(running(settings, setup))
        yield Warehouse(Desk(endpoints, endpoints, service), object_store)


def person(number: int) -> resource.Endpoint:
    made = resource.Endpoint(
        endpoint_id=f"person-{number}",
        address=f"person-{number}@example.com",
        channel_type=channel_pb2.CHANNEL_TYPE_EMAIL,
        metrics={"spend": number / 2},
        demographic=resource.Demographic(app_version="2.0", timezone="Asia/Tokyo"),
        location=resource.Location(city="Kyoto", country="JP", latitude=35.0, longitude=135.8),
        opt_out=resource.OPT_OUT_ALL if number % 2 else resource.OPT_OUT_NONE,
    )
    made.attributes["plan"].values.extend(["gold", "two words, \u00e9"])
    made.user.user_id = f"user-{number}"
    made.user.user_attributes["name"].values.append(f"Aiko {number}")
    return made


async def test_an_import_of_an_export_gives_the_same_data(
    warehouse: Warehouse, app_id: str
) -> None:
    await warehouse.desk.put(app_id, [person(n) for n in range(6)])
    job = await warehouse.exported(app_id, f"{app_id}/")
    assert job.job_status == import_pb.JOB_STATUS_COMPLETED
    assert (job.total_processed, job.completed_pieces, job.total_pieces) == (6, 1, 1)
    files = warehouse.files(f"{app_id}/")
    assert list(files) == [f"{app_id}/{job.job_id}-00000.json.gz"]
    [rows] = files.values()
    assert rows[0]["User"]["UserAttributes"]["name"][0].startswith("Aiko")
    copy = f"{app_id[:-4]}copy"
    url = f"s3://{BUCKET}/{app_id}/"
    done = await warehouse.imported(copy, url, import_pb.IMPORT_FORMAT_JSON)
    assert (done.total_processed, done.total_failures) == (6, 0), done.failures
    ids = [f"person-{n}" for n in range(6)]
    before, after = await warehouse.all_of(app_id, ids), await warehouse.all_of(copy, ids)
    assert len(after) == 6
    for one, other in zip(before, after, strict=True):
        for mine in ("application_id", "request_id", "creation_date", "cohort_id"):
            one.ClearField(mine)
            other.ClearField(mine)
        one.ClearField("effective_date")
        other.ClearField("effective_date")
        assert one == other


async def test_a_segment_is_exported_as_the_version_it_had(
    warehouse: Warehouse, app_id: str
) -> None:
    await warehouse.desk.put(app_id, [person(n) for n in range(4)])
    segment = segment_pb2.Segment(name="spenders")
    spend = segment.dimensions.metrics["spend"]
    spend.comparison_operator = segment_pb2.MetricDimension.COMPARISON_OPERATOR_GREATER_THAN
    spend.value = 0.9
    made = await warehouse.desk.create(app_id, segment)
    job = await warehouse.exported(app_id, f"{app_id}/spenders-", made.segment_id)
    assert (job.definition.segment_version, job.total_processed) == (1, 2)
    [rows] = warehouse.files(f"{app_id}/spenders-").values()
    assert {row["Id"] for row in rows} == {"person-2", "person-3"}
    everybody = await warehouse.exported(app_id, f"{app_id}/all-")
    listed = await warehouse.exports.ListExportJobs(
        pb.ListExportJobsRequest(application_id=app_id, page_size=1)
    )
    assert [one.job_id for one in listed.export_jobs] == [everybody.job_id]
    rest = await warehouse.exports.ListExportJobs(
        pb.ListExportJobsRequest(application_id=app_id, page_token=listed.next_page_token)
    )
    assert [one.job_id for one in rest.export_jobs] == [job.job_id]
    mine = await warehouse.exports.ListExportJobs(
        pb.ListExportJobsRequest(application_id=app_id, segment_id=made.segment_id)
    )
    assert [one.job_id for one in mine.export_jobs] == [job.job_id]


async def test_nobody_is_an_export_without_files(warehouse: Warehouse, app_id: str) -> None:
    job = await warehouse.exported(app_id, f"{app_id}/")
    assert (job.job_status, job.total_pieces) == (import_pb.JOB_STATUS_COMPLETED, 0)
    assert warehouse.files(f"{app_id}/") == {}


async def test_what_cannot_be_exported_is_refused(warehouse: Warehouse, app_id: str) -> None:
    async def reason(url: str, segment_id: str = "", version: int = 0) -> tuple[str, Any]:
        definition = pb.ExportJobDefinition(
            target_url=url, segment_id=segment_id, segment_version=version
        )
        request = pb.CreateExportJobRequest(application_id=app_id, definition=definition)
        with pytest.raises(aio.AioRpcError) as caught:
            await warehouse.exports.CreateExportJob(request)
        told = refusal(caught.value)
        return told.reason, set(told.fields)

    bad = {"definition.target_url", "definition.segment_version"}
    assert await reason("https://example.com/", version=-1) == ("INVALID_FIELDS", bad)
    assert await reason("s3://another/x") == ("URL_FORBIDDEN", {"definition.target_url"})
    assert (await reason(f"s3://{BUCKET}/x", "nothing"))[0] == "RESOURCE_NOT_FOUND"


async def test_a_killed_export_ends_with_everybody_once(
    warehouse: Warehouse, mongo_uri: str, amqp_url: str, database_prefix: str, app_id: str
) -> None:
    count, prefix = 20_000, f"{app_id}/"
    body = b"Id,ChannelType,Address\n" + b"".join(
        b"e%d,EMAIL,e%d@example.com\n" % (n, n) for n in range(count)
    )
    bucket_of(warehouse.settings).put_object(Bucket=BUCKET, Key="many.csv", Body=body)
    await warehouse.imported(app_id, f"s3://{BUCKET}/many.csv", import_pb.IMPORT_FORMAT_CSV)
    more = {name.lower(): value for name, value in warehouse.settings.items()}
    settings = common(
        mongo_uri,
        amqp_url,
        f"{database_prefix}k_",
        endpoints_addr=warehouse.desk.endpoints.address,
        export_lease_seconds=2,
        export_piece_members=1000,
        drain_seconds=0,
        **more,
    )
    with MongoClient[dict[str, Any]](mongo_uri) as mongo:
        jobs = mongo[f"{database_prefix}k_segmentation"]["export_jobs"]
        done = await _killed_twice(settings, jobs, app_id, f"s3://{BUCKET}/{prefix}")
    assert (done["status"], done["written"]) == ("COMPLETED", count)
    files = warehouse.files(prefix)
    assert len(files) == done["pieces"]
    assert sorted(row["Id"] for rows in files.values() for row in rows) == sorted(
        f"e{n}" for n in range(count)
    )


async def _killed_twice(
    settings: dict[str, Any], jobs: Any, app_id: str, url: str
) -> dict[str, Any]:
    """The end of a job whose runner is killed in its second and its seventh file."""
    process, address = await spawned("segmentation", settings)
    try:
        job_id = await _ordered(address, app_id, url)

        def job() -> dict[str, Any]:
            return jobs.find_one({"_id": job_id}) or {}

        for least in (2, 7):
            await _until(lambda least=least: job()["pieces"] >= least)  # type: ignore[misc]
            process.send_signal(signal.SIGKILL)
            await process.wait()
            assert "lease_until" in job(), "the job was done before it could be killed"
            process, address = await spawned("segmentation", settings)
        await _until(lambda: "lease_until" not in job())
        return job()
    finally:
        process.kill()
        await process.wait()


async def _ordered(address: str, app_id: str, url: str) -> str:
    async with aio.insecure_channel(address) as channel:
        request = pb.CreateExportJobRequest(application_id=app_id)
        request.definition.target_url = url
        stub: Any = rpc.ExportServiceStub(channel)
        made = await stub.CreateExportJob(request, metadata=PEER)
        job_id: str = made.export_job.job_id
        return job_id


async def _until(so: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not so():  # noqa: ASYNC110 - the condition lives in another process
            await asyncio.sleep(0.005)
