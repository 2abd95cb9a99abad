"""Export jobs over RPC."""

from typing import Any

from touchpoint.endpoints.v1 import import_service_pb2
from touchpoint.segmentation.v1 import export_service_pb2 as pb
from touchpoint.segmentation.v1 import export_service_pb2_grpc as rpc

from libs.clock import Clock
from libs.errors import Violations
from libs.mongo.paging import Pager, page_size
from libs.timestamps import to_timestamp
from services.segmentation.domain.exports import Definition, Job
from services.segmentation.store.exports import ExportStore
from services.segmentation.usecases.exports import Exports

Call = Any  # grpc.aio's context; nothing here needs it


class ExportServicer(rpc.ExportServiceServicer):
    """Takes orders and tells how they go."""

    def __init__(self, jobs: ExportStore, exports: Exports, pager: Pager, clock: Clock) -> None:
        self._jobs = jobs
        self._exports = exports
        self._pager = pager
        self._clock = clock

    async def CreateExportJob(
        self, request: pb.CreateExportJobRequest, _: Call
    ) -> pb.CreateExportJobResponse:
        given = request.definition
        now = self._clock.now()
        wanted = Definition(
            request.application_id, given.segment_id, given.segment_version, given.target_url
        )
        # As fine as the store keeps it: what is read back equals what was answered.
        moment = now.replace(microsecond=now.microsecond // 1000 * 1000)
        job = await self._exports.create(wanted, moment)
        return pb.CreateExportJobResponse(export_job=_job(job))

    async def GetExportJob(
        self, request: pb.GetExportJobRequest, _: Call
    ) -> pb.GetExportJobResponse:
        _check(request.application_id)
        job = await self._jobs.get(request.application_id, request.job_id)
        return pb.GetExportJobResponse(export_job=_job(job))

    async def ListExportJobs(
        self, request: pb.ListExportJobsRequest, _: Call
    ) -> pb.ListExportJobsResponse:
        _check(request.application_id)
        app_id, segment_id = request.application_id, request.segment_id
        size, query = page_size(request.page_size), ["export jobs", app_id, segment_id]
        after = self._pager.last(query, request.page_token)
        found = await self._jobs.page(app_id, segment_id, after, size + 1)
        page = found[:size]
        last = (page[-1].creation_date, page[-1].job_id) if len(found) > size else None
        return pb.ListExportJobsResponse(
            export_jobs=[_job(job) for job in page], next_page_token=self._pager.token(query, last)
        )


def _check(app_id: str) -> None:
    found = Violations()
    found.check(app_id, "application_id", "is missing")
    found.raise_if_any()


def _job(job: Job) -> pb.ExportJob:
    what, failed = job.definition, job.status == "FAILED"
    return pb.ExportJob(
        job_id=job.job_id,
        application_id=job.application_id,
        definition=pb.ExportJobDefinition(
            segment_id=what.segment_id,
            segment_version=what.segment_version,
            target_url=what.target_url,
        ),
        job_status=import_service_pb2.JobStatus.Value(f"JOB_STATUS_{job.status}"),
        creation_date=to_timestamp(job.creation_date),
        completion_date=to_timestamp(job.completion_date),
        total_pieces=job.pieces + failed if job.completion_date else 0,
        completed_pieces=job.pieces,
        failed_pieces=int(failed),
        total_processed=job.written,
        failures=job.failures,
    )
