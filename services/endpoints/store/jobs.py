"""Import jobs, their leases and cursors, and the files they read, in pieces."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final

from bson.binary import Binary
from pymongo import ReturnDocument

from libs.errors import ResourceNotFound
from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from services.endpoints.domain.jobs import MOST_FAILURES, Cursor, Definition, Job, Report

INDEXES: Final[Indexes] = {
    "import_jobs": [
        Index("by_time", (("definition.application_id", 1), ("creation_date", -1), ("_id", -1))),
        Index("unfinished", (("lease_until", 1),), partial={"lease_until": {"$exists": True}}),
    ],
    # A process that dies while a file comes in leaves pieces no job knows; they go after a week.
    "import_files": [
        Index("by_job", (("job_id", 1),)),
        Index("expiry", (("created", 1),), expire_after_seconds=7 * 24 * 3600),
    ],
    "import_hashes": [
        Index("by_job", (("job_id", 1),)),
        Index("expiry", (("created", 1),), expire_after_seconds=7 * 24 * 3600),
    ],
}
After = Sequence[Any] | None


class LeaseLost(RuntimeError):
    """Another runner has the job by now."""


class JobStore:
    """Jobs. A runner holds one by a lease that the database's clock ends."""

    def __init__(self, database: Database, lease_seconds: int) -> None:
        self._jobs = database["import_jobs"]
        self._lease_seconds = lease_seconds

    async def add(self, job: Job) -> None:
        """Keep a new job; whoever looks first may run it."""
        await self._jobs.insert_one(
            {**_document(job), "cursor": asdict(Cursor()), "lease_until": job.creation_date}
        )

    async def get(self, application_id: str, job_id: str) -> Job:
        """A job. Raises ResourceNotFound."""
        query = {"_id": job_id, "definition.application_id": application_id}
        document = await self._jobs.find_one(query)
        if document is None:
            raise ResourceNotFound("import job", job_id)
        return _job(document)

    async def page(
        self, application_id: str, segment_id: str, after: After, limit: int
    ) -> list[Job]:
        """Jobs of an application, newest first; with a segment only those that fill it."""
        query: Document = {"definition.application_id": application_id}
        if segment_id:
            query["definition.segment_id"] = segment_id
        if after is not None:
            moment, last_id = after
            earlier = {"creation_date": {"$lt": moment}}
            same = {"creation_date": moment, "_id": {"$lt": last_id}}
            query = {"$and": [query, {"$or": [earlier, same]}]}
        cursor = self._jobs.find(query).sort([("creation_date", -1), ("_id", -1)]).limit(limit)
        return [_job(document) async for document in cursor]

    async def running(self) -> int:
        """Jobs that are not done."""
        return await self._jobs.count_documents({"lease_until": {"$exists": True}})

    async def claim(self, runner: str) -> tuple[Job, Cursor] | None:
        """Take a job nobody holds, oldest first; None when there is none."""
        document: Document | None = await self._jobs.find_one_and_update(
            {"lease_until": {"$exists": True}, "$expr": {"$lt": ["$lease_until", "$$NOW"]}},
            [{"$set": {"runner": runner, "lease_until": self._until()}}],
            sort=[("lease_until", 1)],
            return_document=ReturnDocument.AFTER,
        )
        if document is None:
            return None
        cursor = document["cursor"]
        return _job(document), Cursor(**{**cursor, "carry": bytes(cursor["carry"])})

    async def held_by(self, runner: str) -> list[Job]:
        """The jobs a runner has."""
        query = {"runner": runner, "lease_until": {"$exists": True}}
        return [_job(document) async for document in self._jobs.find(query)]

    def _until(self) -> Document:
        return {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": self._lease_seconds}}

    async def save(self, job: Job, cursor: Cursor, runner: str) -> None:
        """Keep progress and cursor in one write, and the lease on. Raises LeaseLost."""
        state = {**_document(job), "cursor": asdict(cursor)}
        state.pop("_id")
        literal = {name: {"$literal": value} for name, value in state.items()}
        result = await self._jobs.update_one(
            {"_id": job.job_id, "runner": runner},
            [{"$set": {**literal, "lease_until": self._until()}}],
        )
        if not result.matched_count:
            raise LeaseLost(job.job_id)

    async def renew(self, job_id: str, runner: str) -> None:
        """Keep the lease on. Raises LeaseLost."""
        result = await self._jobs.update_one(
            {"_id": job_id, "runner": runner}, [{"$set": {"lease_until": self._until()}}]
        )
        if not result.matched_count:
            raise LeaseLost(job_id)

    async def release(self, job_id: str, runner: str) -> None:
        """Give the job back, to be claimed at once."""
        await self._jobs.update_one(
            {"_id": job_id, "runner": runner, "lease_until": {"$exists": True}},
            [{"$set": {"lease_until": {"$subtract": ["$$NOW", 1]}, "runner": None}}],
        )

    async def finish(self, job: Job, runner: str) -> None:
        """Keep the last state; nobody runs the job again. Raises LeaseLost."""
        state = _document(job)
        state.pop("_id")
        result = await self._jobs.update_one(
            {"_id": job.job_id, "runner": runner},
            {"$set": state, "$unset": {"lease_until": "", "runner": "", "cursor": ""}},
        )
        if not result.matched_count:
            raise LeaseLost(job.job_id)

    async def delete_application(self, application_id: str) -> list[str]:
        """Take out an application's jobs; returns their ids."""
        query = {"definition.application_id": application_id}
        ids = [document["_id"] async for document in self._jobs.find(query, {"_id": 1})]
        await self._jobs.delete_many(query)
        return ids


class FileStore:
    """Files in pieces of up to 1 MB, and what was computed of them, until their job is done."""

    def __init__(self, database: Database) -> None:
        self._pieces = database["import_files"]
        self._hashes = database["import_hashes"]

    async def put(self, job_id: str, number: int, data: bytes, now: datetime) -> None:
        """Keep a piece; the same number again replaces it."""
        document = {"job_id": job_id, "data": Binary(data), "created": now}
        await self._pieces.replace_one({"_id": _key(job_id, number)}, document, upsert=True)

    async def get(self, job_id: str, number: int) -> bytes:
        """A piece. Raises ResourceNotFound."""
        document = await self._pieces.find_one({"_id": _key(job_id, number)})
        if document is None:
            raise ResourceNotFound("piece of an import file", str(number))
        return bytes(document["data"])

    async def put_hashes(self, job_id: str, number: int, data: bytes, now: datetime) -> None:
        """Keep the hashes of a piece's addresses, eight bytes each."""
        document = {"job_id": job_id, "data": Binary(data), "created": now}
        await self._hashes.replace_one({"_id": _key(job_id, number)}, document, upsert=True)

    async def hashes(self, job_id: str, number: int) -> bytes:
        """The hashes of a piece; none when there are none."""
        document = await self._hashes.find_one({"_id": _key(job_id, number)})
        return bytes(document["data"]) if document else b""

    async def delete(self, job_id: str) -> None:
        """Take a job's file out."""
        await self._pieces.delete_many({"job_id": job_id})
        await self._hashes.delete_many({"job_id": job_id})


def _key(job_id: str, number: int) -> str:
    return f"{job_id}/{number:08d}"


def _document(job: Job) -> Document:
    document = asdict(job)
    document["_id"] = document.pop("job_id")
    document["failures"] = list(job.failures[:MOST_FAILURES])
    document["report"]["channels"] = dict(job.report.channels)
    return document


def _job(document: Mapping[str, Any]) -> Job:
    report = Report(**document["report"])
    names = ("status", "creation_date", "total_pieces", "completed_pieces", "failed_pieces")
    more = ("processed", "failed", "completion_date")
    job = Job(
        document["_id"],
        Definition(**document["definition"]),
        **{name: document[name] for name in (*names, *more)},
    )
    return replace(job, failures=tuple(document["failures"]), report=report)
