"""Taking import files in: checked, cut into pieces, kept, and made a job."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from libs.clock import Clock
from libs.errors import InvalidFields, PayloadTooLarge, QuotaExceeded, Violation
from libs.ids import new_id
from services.endpoints.clients import Fetcher
from services.endpoints.domain.instants import to_millisecond
from services.endpoints.domain.jobs import PIECE_BYTES, Definition, Job, check_definition
from services.endpoints.store.jobs import FileStore, JobStore


class Spool:
    """Cuts a stream of bytes into pieces of 1 MB and keeps them."""

    def __init__(self, files: FileStore, job_id: str, most_bytes: int, now: datetime) -> None:
        self._files = files
        self._job_id = job_id
        self._most_bytes = most_bytes
        self._now = now
        self._waiting = bytearray()
        self._size = 0
        self.pieces = 0

    async def add(self, chunk: bytes) -> None:
        """Take bytes in. Raises PayloadTooLarge."""
        self._size += len(chunk)
        if self._size > self._most_bytes:
            raise PayloadTooLarge(self._most_bytes)
        self._waiting += chunk
        while len(self._waiting) >= PIECE_BYTES:
            await self._put(PIECE_BYTES)

    async def close(self) -> None:
        """Keep what is left."""
        if self._waiting:
            await self._put(len(self._waiting))

    async def _put(self, size: int) -> None:
        await self._files.put(self._job_id, self.pieces, bytes(self._waiting[:size]), self._now)
        del self._waiting[:size]
        self.pieces += 1


class Uploads:
    """Makes jobs of definitions and files."""

    def __init__(
        self,
        jobs: JobStore,
        files: FileStore,
        fetcher: Fetcher,
        clock: Clock,
        most: tuple[int, int],
    ) -> None:
        """`most` is the largest file in bytes, and how many jobs run at once (spec 4.6)."""
        self._jobs = jobs
        self._files = files
        self._fetcher = fetcher
        self._clock = clock
        self._most_bytes, self._most_running = most

    async def create(self, definition: Definition, chunks: AsyncIterator[bytes]) -> Job:
        """The job, once its file is kept; it outlives restarts.

        Raises InvalidFields, UrlForbidden, QuotaExceeded, PayloadTooLarge.
        """
        check_definition(definition)
        if definition.source_url:
            await self._fetcher.check("definition.source_url", definition.source_url)
        if await self._jobs.running() >= self._most_running:
            raise QuotaExceeded("import jobs at once", self._most_running)
        if definition.define_segment and not definition.segment_id:
            definition = replace(definition, segment_id=new_id())
        now = to_millisecond(self._clock.now())
        job = Job(new_id(), definition, "CREATED", now)
        try:
            pieces = await self._keep(job, chunks)
            job = replace(job, total_pieces=pieces)
            await self._jobs.add(job)
        except BaseException:
            await self._files.delete(job.job_id)
            raise
        return job

    async def _keep(self, job: Job, chunks: AsyncIterator[bytes]) -> int:
        spool = Spool(self._files, job.job_id, self._most_bytes, job.creation_date)
        async for chunk in chunks:
            await spool.add(chunk)
        await spool.close()
        if bool(job.definition.source_url) == bool(spool.pieces):
            told = "send a file, or name a URL, not both"
            raise InvalidFields([Violation("definition.source_url", told)])
        return spool.pieces
