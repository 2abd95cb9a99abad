"""Making and running export jobs: a file at a time, the cursor kept with the figures.

A runner that dies leaves a job at its last file; whoever takes it over writes that file again
under the same name, so that nothing is missing and nothing is there twice.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import datetime

from libs.clock import Clock
from libs.errors import QuotaExceeded, TouchpointError, Violations
from libs.ids import new_id
from services.segmentation.clients.exporting import Exporting
from services.segmentation.domain.exports import Definition, ExportFailed, Job
from services.segmentation.domain.filters import EVERYBODY, Filter
from services.segmentation.domain.segment import Reference
from services.segmentation.store.exports import ExportStore, LeaseLost
from services.segmentation.usecases.compiler import Compiler

_GONE = ("NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION")


class Exports:
    """Creates jobs, and runs one after the other; several runners share the work by leases."""

    def __init__(
        self,
        jobs: ExportStore,
        compiler: Compiler,
        exporting: Exporting,
        clock: Clock,
        most: tuple[int, int],
    ) -> None:
        """`most` is how many jobs run at once, and how many members a file has or a little more."""
        self._jobs = jobs
        self._compiler = compiler
        self._exporting = exporting
        self._clock = clock
        self._most_running, self._most_members = most
        self._runner = new_id()
        self._in_hand: Job | None = None

    async def create(self, given: Definition, now: datetime) -> Job:
        """A new job on the version that is exported.

        Raises InvalidFields, UrlForbidden, ResourceNotFound, QuotaExceeded.
        """
        found = Violations()
        found.check(given.application_id, "application_id", "is missing")
        found.check(given.target_url.startswith("s3://"), "definition.target_url", "must be s3://")
        found.check(given.segment_version >= 0, "definition.segment_version", "must not be below 0")
        found.raise_if_any()
        self._exporting.check("definition.target_url", given.target_url)
        if given.segment_id:
            reference = Reference(given.segment_id, given.segment_version)
            stored = await self._compiler.stored(given.application_id, reference, now)
            given = replace(given, segment_version=stored.segment.version)
        if await self._jobs.running() >= self._most_running:
            raise QuotaExceeded("export jobs at once", self._most_running)
        job = Job(new_id(), given, "CREATED", now)
        await self._jobs.add(job)
        return job

    async def run_one(self, stopping: asyncio.Event) -> bool:
        """Run a job that waits, to its end or until told to stop; False when none waits."""
        self._in_hand = job = await self._jobs.claim(self._runner)
        if job is None:
            return False
        with suppress(LeaseLost):
            try:
                await self._run(job, stopping)
            except TouchpointError as error:
                if not isinstance(error, ExportFailed) and error.kind.value not in _GONE:
                    raise  # away for a moment: the lease ends, and it goes on where it was
                await self.fail(error.message)
        return True

    async def fail(self, message: str) -> None:
        """End the job in hand as FAILED; what was written of it stays."""
        if self._in_hand is None:
            return
        job = await self._jobs.get(self._in_hand.application_id, self._in_hand.job_id)
        with suppress(LeaseLost):
            await self._end(job, "FAILED", message)

    async def _run(self, job: Job, stopping: asyncio.Event) -> None:
        job = replace(job, status="PROCESSING")
        asked = await self._filter(job)
        async with aclosing(self._pieces(job, asked)) as pieces:
            async for cursor, lines in pieces:
                if stopping.is_set():
                    await self._jobs.release(job.job_id, self._runner)
                    return
                await self._exporting.put(job.definition.target_url, job.file_name, lines)
                written = job.written + len(lines)
                job = replace(job, pieces=job.pieces + 1, written=written, cursor=cursor)
                await self._jobs.save(job, self._runner)
        await self._end(job, "COMPLETED")

    async def _pieces(
        self, job: Job, asked: Filter
    ) -> AsyncGenerator[tuple[str, list[bytes]], None]:
        """The lines of each file, with the cursor after it."""
        waiting: list[bytes] = []
        cursor = job.cursor
        members = self._exporting.lines(job.application_id, asked, job.cursor)
        async with aclosing(members) as batches:
            async for cursor, lines in batches:
                waiting += lines
                await self._jobs.renew(job.job_id, self._runner)
                if len(waiting) >= self._most_members:
                    yield cursor, waiting
                    waiting = []
        if waiting:
            yield cursor, waiting

    async def _filter(self, job: Job) -> Filter:
        what = job.definition
        if not what.segment_id:
            return EVERYBODY
        reference = Reference(what.segment_id, what.segment_version)
        # Of the moment the job was made, whenever it runs and however often it is taken over.
        found = await self._compiler.stored(job.application_id, reference, job.creation_date)
        return found.asked

    async def _end(self, job: Job, status: str, *failures: str) -> None:
        done = replace(
            job,
            status=status,
            failures=(*failures, *job.failures),
            completion_date=self._clock.now(),
        )
        await self._jobs.finish(done, self._runner)
