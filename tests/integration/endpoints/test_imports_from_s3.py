"""Imports from an object store that speaks S3: one object, a folder, and what is refused."""

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import aio
from touchpoint.endpoints.v1 import import_service_pb2 as pb

from services.endpoints.config import Settings
from services.endpoints.setup import setup
from tests.integration.endpoints.conftest import Endpoints
from tests.integration.endpoints.test_imports import definition, ended
from tests.support.object_store import BUCKET, bucket_of
from tests.support.running import common, refusal, running


@pytest.fixture(scope="module")
async def stored(
    mongo_uri: str, amqp_url: str, database_prefix: str, object_store: dict[str, str]
) -> AsyncIterator[Endpoints]:
    """A service that has the object store."""
    more = {name.lower(): value for name, value in object_store.items()}
    given = common(mongo_uri, amqp_url, database_prefix, s3_buckets=BUCKET, **more)
    async with running(Settings(**given), setup) as process:
        yield Endpoints(process)


async def _job(service: Endpoints, app_id: str, url: str, **more: Any) -> pb.ImportJob:
    asked = definition(app_id, source_url=url, **more)
    return await ended(service, app_id, (await service.upload(asked, b"")).job_id)


def _row(number: int) -> bytes:
    return f"EMAIL,person-{number}@example.com\n".encode()


async def test_an_object_becomes_endpoints(
    stored: Endpoints, app_id: str, object_store: dict[str, str]
) -> None:
    body = b"ChannelType,Address\n" + b"".join(_row(n) for n in range(40_000))
    bucket_of(object_store).put_object(Bucket=BUCKET, Key="some people.csv", Body=body)
    job = await _job(stored, app_id, f"s3://{BUCKET}/some people.csv")
    assert (job.job_status, job.total_processed) == (pb.JOB_STATUS_COMPLETED, 40_000)
    assert (await stored.count(app_id)).total_count == 40_000


async def test_a_folder_is_read_in_order_as_one_file(
    stored: Endpoints, app_id: str, object_store: dict[str, str]
) -> None:
    store = bucket_of(object_store)
    lines = [b'{"ChannelType": "EMAIL", "Address": "%d@example.com"}' % n for n in range(3)]
    for number, line in enumerate(lines):
        store.put_object(Bucket=BUCKET, Key=f"folder/part-{number}.json", Body=line)
    store.put_object(Bucket=BUCKET, Key="folder/empty", Body=b"")
    store.put_object(Bucket=BUCKET, Key="beside.json", Body=lines[0])
    url = f"s3://{BUCKET}/folder/"
    job = await _job(stored, app_id, url, format=pb.IMPORT_FORMAT_JSON)
    assert (job.total_processed, job.total_failures) == (3, 0)


async def test_files_of_a_folder_keep_their_headers_and_may_be_packed(
    stored: Endpoints, app_id: str, object_store: dict[str, str]
) -> None:
    store, header = bucket_of(object_store), b"ChannelType,Address\n"
    store.put_object(Bucket=BUCKET, Key="packed/1.csv", Body=header + _row(1))
    packed = gzip.compress(header + b"".join(_row(n) for n in range(2, 60_002)))
    store.put_object(Bucket=BUCKET, Key="packed/2.csv.gz", Body=packed)
    job = await _job(stored, app_id, f"s3://{BUCKET}/packed/")
    assert (job.total_processed, job.total_failures) == (60_001, 0)


async def test_a_packed_object_is_read_whole_or_not_at_all(
    stored: Endpoints, app_id: str, object_store: dict[str, str]
) -> None:
    store = bucket_of(object_store)
    members = [gzip.compress(b"ChannelType,Address\n" + _row(1)), gzip.compress(_row(2))]
    store.put_object(Bucket=BUCKET, Key="members.csv.gz", Body=b"".join(members))
    job = await _job(stored, app_id, f"s3://{BUCKET}/members.csv.gz")
    assert (job.total_processed, job.total_failures) == (2, 0)
    for body, told in ((b"not gzip at all", "not gzip"), (members[0][:-6], "cut off")):
        store.put_object(Bucket=BUCKET, Key="torn.csv.gz", Body=body)
        torn = await _job(stored, app_id, f"s3://{BUCKET}/torn.csv.gz")
        assert torn.job_status == pb.JOB_STATUS_FAILED
        assert told in torn.failures[0]


async def test_an_object_that_is_not_there_fails_the_job(stored: Endpoints, app_id: str) -> None:
    job = await _job(stored, app_id, f"s3://{BUCKET}/nothing.csv")
    assert job.job_status == pb.JOB_STATUS_FAILED
    assert "NoSuchKey" in job.failures[0]


async def test_jobs_are_listed_by_the_segment_they_fill(
    stored: Endpoints, app_id: str, object_store: dict[str, str]
) -> None:
    body = b"ChannelType,Address\n" + _row(1)
    bucket_of(object_store).put_object(Bucket=BUCKET, Key="one.csv", Body=body)
    url = f"s3://{BUCKET}/one.csv"
    filled = await _job(stored, app_id, url, define_segment=True, segment_name="one")
    await _job(stored, app_id, url)
    asked = pb.ListImportJobsRequest(application_id=app_id, segment_id=filled.definition.segment_id)
    listed = await stored.imports.ListImportJobs(asked)
    assert [job.job_id for job in listed.import_jobs] == [filled.job_id]


@pytest.mark.parametrize("url", ["s3://another/key.csv", "s3:///key.csv", f"s3://{BUCKET}/key?x=1"])
async def test_other_places_are_refused(stored: Endpoints, app_id: str, url: str) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await stored.upload(definition(app_id, source_url=url), b"")
    told = refusal(caught.value)
    assert (told.reason, told.fields) == ("URL_FORBIDDEN", frozenset({"definition.source_url"}))


async def test_without_an_object_store_its_urls_are_refused(
    service: Endpoints, app_id: str
) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await service.upload(definition(app_id, source_url=f"s3://{BUCKET}/key"), b"")
    assert "no object store" in str(caught.value.details())
