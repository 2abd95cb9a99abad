"""Import jobs over RPC."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from touchpoint.endpoints.v1 import import_service_pb2 as pb
from touchpoint.endpoints.v1 import import_service_pb2_grpc as rpc

from libs.chassis import context
from libs.errors import InvalidFields, Violation
from libs.mongo.paging import Pager, page_size
from libs.timestamps import to_timestamp
from services.endpoints.domain.jobs import Definition, Job
from services.endpoints.servicer.decoding import application_of, to_definition
from services.endpoints.store.jobs import JobStore
from services.endpoints.usecases.uploads import Uploads

Call = Any  # grpc.aio's context; nothing here needs it


class ImportServicer(rpc.ImportServiceServicer):
    """Takes files in and tells how their import goes."""

    def __init__(
        self, jobs: JobStore, uploads: Uploads, pager: Pager, wake: Callable[[], None]
    ) -> None:
        self._jobs = jobs
        self._uploads = uploads
        self._pager = pager
        self._wake = wake

    async def CreateImportJob(
        self, request_iterator: AsyncIterator[pb.CreateImportJobRequest], _: Call
    ) -> pb.CreateImportJobResponse:
        first = await anext(aiter(request_iterator), pb.CreateImportJobRequest())
        if first.WhichOneof("piece") != "definition":
            raise InvalidFields([Violation("definition", "must be the first message")])
        definition = to_definition(first.definition)
        # The auth interceptor cannot see into a stream: the application is entered here.
        context.enter_application(definition.application_id)
        job = await self._uploads.create(definition, _chunks(request_iterator))
        self._wake()
        return pb.CreateImportJobResponse(import_job=_job(job))

    async def GetImportJob(
        self, request: pb.GetImportJobRequest, _: Call
    ) -> pb.GetImportJobResponse:
        job = await self._jobs.get(application_of(request), request.job_id)
        return pb.GetImportJobResponse(import_job=_job(job))

    async def ListImportJobs(
        self, request: pb.ListImportJobsRequest, _: Call
    ) -> pb.ListImportJobsResponse:
        application_id, size = application_of(request), page_size(request.page_size)
        query = ["import jobs", application_id, request.segment_id]
        after = self._pager.last(query, request.page_token)
        found = await self._jobs.page(application_id, request.segment_id, after, size + 1)
        page = found[:size]
        last = (page[-1].creation_date, page[-1].job_id) if len(found) > size else None
        return pb.ListImportJobsResponse(
            import_jobs=[_job(job) for job in page],
            next_page_token=self._pager.token(query, last),
        )


async def _chunks(requests: AsyncIterator[pb.CreateImportJobRequest]) -> AsyncIterator[bytes]:
    async for request in requests:
        if request.WhichOneof("piece") != "chunk":
            raise InvalidFields([Violation("chunk", "follows the definition")])
        yield request.chunk


def _job(job: Job) -> pb.ImportJob:
    report = job.report
    return pb.ImportJob(
        job_id=job.job_id,
        definition=_definition(job.definition),
        job_status=pb.JobStatus.Value(f"JOB_STATUS_{job.status}"),
        creation_date=to_timestamp(job.creation_date),
        completion_date=to_timestamp(job.completion_date),
        total_pieces=job.total_pieces,
        completed_pieces=job.completed_pieces,
        failed_pieces=job.failed_pieces,
        total_processed=job.processed,
        total_failures=job.failed,
        failures=job.failures,
        report=pb.ImportReport(
            created_count=report.created,
            updated_count=report.updated,
            duplicate_address_count=report.duplicates,
            missing_timezone_count=report.missing_timezone,
            opted_out_count=report.opted_out,
            channel_counts=report.channels,
        ),
    )


def _definition(definition: Definition) -> pb.ImportJobDefinition:
    return pb.ImportJobDefinition(
        application_id=definition.application_id,
        format=pb.ImportFormat.Value(f"IMPORT_FORMAT_{definition.format}"),
        register_endpoints=definition.register_endpoints,
        define_segment=definition.define_segment,
        segment_name=definition.segment_name,
        segment_id=definition.segment_id,
        source_url=definition.source_url,
        validate_only=definition.validate_only,
    )
