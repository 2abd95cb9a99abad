"""Export jobs; a runner holds one by a lease that the database's clock ends."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from pymongo import ReturnDocument

from libs.errors import ResourceNotFound
from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from services.segmentation.domain.exports import Definition, Job

EXPORT_INDEXES: Final[Indexes] = {
    "export_jobs": [
        Index("by_time", (("definition.application_id", 1), ("creation_date", -1), ("_id", -1))),
        Index("unfinished", (("lease_until", 1),), partial={"lease_until": {"$exists": True}}),
    ],
}
After = Sequence[Any] | None


class LeaseLost(RuntimeError):
    """Another runner has the job by now."""


class ExportStore:
    """Jobs of all applications; every query of a caller names the application."""

    def __init__(self, database: Database, lease_seconds: int) -> None:
        self._jobs = database["export_jobs"]
        self._lease_seconds = lease_seconds

    async def add(self, job: Job) -> None:
        """Keep a new job; whoever looks first may run it."""
        document = {"_id": job.job_id, **_state(job), "lease_until": job.creation_date}
        await self._jobs.insert_one(document)

    async def get(self, app_id: str, job_id: str) -> Job:
        """A job. Raises ResourceNotFound."""
        found = await self._jobs.find_one({"_id": job_id, "definition.application_id": app_id})
        if found is None:
            raise ResourceNotFound("export job", job_id)
        return _job(found)

    async def page(self, app_id: str, segment_id: str, after: After, limit: int) -> list[Job]:
        """Jobs of an application, newest first; with a segment only its own."""
        query: Document = {"definition.application_id": app_id}
        if segment_id:
            query["definition.segment_id"] = segment_id
        if after is not None:
            moment, last_id = after
            query["$or"] = [
                {"creation_date": {"$lt": moment}},
                {"creation_date": moment, "_id": {"$lt": last_id}},
            ]
        cursor = self._jobs.find(query).sort([("creation_date", -1), ("_id", -1)]).limit(limit)
        return [_job(document) async for document in cursor]

    async def running(self) -> int:
        """Jobs that are not done."""
        return await self._jobs.count_documents({"lease_until": {"$exists": True}})

    async def claim(self, runner: str) -> Job | None:
        """Take a job nobody holds, the longest waiting first; None when there is none."""
        found: Document | None = await self._jobs.find_one_and_update(
            {"lease_until": {"$exists": True}, "$expr": {"$lt": ["$lease_until", "$$NOW"]}},
            [{"$set": {"runner": runner, "lease_until": self._until()}}],
            sort=[("lease_until", 1)],
            return_document=ReturnDocument.AFTER,
        )
        return _job(found) if found else None

    async def save(self, job: Job, runner: str) -> None:
        """Keep progress, and the lease on. Raises LeaseLost."""
        state = {name: {"$literal": value} for name, value in _state(job).items()}
        change = [{"$set": {**state, "lease_until": self._until()}}]
        await self._change(job.job_id, runner, change)

    async def renew(self, job_id: str, runner: str) -> None:
        """Keep the lease on. Raises LeaseLost."""
        await self._change(job_id, runner, [{"$set": {"lease_until": self._until()}}])

    async def release(self, job_id: str, runner: str) -> None:
        """Give the job back, to be claimed at once."""
        await self._jobs.update_one(
            {"_id": job_id, "runner": runner, "lease_until": {"$exists": True}},
            [{"$set": {"lease_until": {"$subtract": ["$$NOW", 1]}, "runner": None}}],
        )

    async def finish(self, job: Job, runner: str) -> None:
        """Keep the last state; nobody runs the job again. Raises LeaseLost."""
        gone = {"lease_until": "", "runner": ""}
        await self._change(job.job_id, runner, {"$set": _state(job), "$unset": gone})

    async def delete_application(self, app_id: str) -> None:
        """Take out an application's jobs; their runners stop at the next piece."""
        await self._jobs.delete_many({"definition.application_id": app_id})

    async def _change(self, job_id: str, runner: str, change: Any) -> None:  # noqa: ANN401 - a document or a pipeline
        result = await self._jobs.update_one({"_id": job_id, "runner": runner}, change)
        if not result.matched_count:
            raise LeaseLost(job_id)

    def _until(self) -> Document:
        return {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": self._lease_seconds}}


def _state(job: Job) -> Document:
    state = asdict(job)
    state.pop("job_id")
    state["failures"] = list(job.failures)
    return state


def _job(document: Mapping[str, Any]) -> Job:
    names = ("status", "creation_date", "written", "pieces", "cursor", "completion_date")
    return Job(
        job_id=document["_id"],
        definition=Definition(**document["definition"]),
        failures=tuple(document["failures"]),
        **{name: document[name] for name in names},
    )
