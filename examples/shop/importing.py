"""Sends contacts.csv to the import service and follows the job."""

import asyncio
from collections.abc import AsyncIterator, Callable

from touchpoint.endpoints.v1 import import_service_pb2 as pb

from examples.shop.platform import Platform

CHUNK_BYTES = 256 * 1024
OVER = frozenset({pb.JOB_STATUS_COMPLETED, pb.JOB_STATUS_FAILED})
MOST_SECONDS = 60.0


async def import_contacts(
    platform: Platform, app_id: str, file: bytes, watch: Callable[[pb.ImportJob], None]
) -> pb.ImportJob:
    """Start the job and wait until it is over; `watch` sees it each time it was asked for."""
    started = await platform.imports.CreateImportJob(_pieces(app_id, file), metadata=platform.key)
    job = started.import_job
    async with asyncio.timeout(MOST_SECONDS):
        while job.job_status not in OVER:
            watch(job)
            await asyncio.sleep(0.1)
            request = pb.GetImportJobRequest(application_id=app_id, job_id=job.job_id)
            job = (await platform.imports.GetImportJob(request, metadata=platform.key)).import_job
    watch(job)
    return job


async def _pieces(app_id: str, file: bytes) -> AsyncIterator[pb.CreateImportJobRequest]:
    """First the definition, then the bytes."""
    yield pb.CreateImportJobRequest(
        definition=pb.ImportJobDefinition(
            application_id=app_id, format=pb.IMPORT_FORMAT_CSV, register_endpoints=True
        )
    )
    for start in range(0, len(file), CHUNK_BYTES):
        yield pb.CreateImportJobRequest(chunk=file[start : start + CHUNK_BYTES])
