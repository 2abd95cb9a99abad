"""Running import jobs: pieces are read, rows written in batches, the cursor kept with the figures.

A runner that dies leaves a job at its last piece; whoever takes it over repeats that piece with
the same time, so that nothing is lost, and nothing is counted or made twice.
"""

import asyncio
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from libs.clock import Clock
from libs.errors import PayloadTooLarge, UrlForbidden
from libs.ids import new_id
from services.endpoints.clients import EventPublisher, Fetcher
from services.endpoints.domain.endpoint import Occasion
from services.endpoints.domain.instants import to_millisecond
from services.endpoints.domain.jobs import Cursor, FileUnreadable, Job
from services.endpoints.domain.rows import CsvReader, Reader, read_json, split_lines
from services.endpoints.store.audience import AudienceStore
from services.endpoints.store.jobs import FileStore, JobStore, LeaseLost
from services.endpoints.usecases.rows import RowWriter, Tally, read_rows
from services.endpoints.usecases.uploads import Spool

ROWS_AT_ONCE: Final = 500
"""Rows of one bulk write: more would keep the loop from its other work for too long."""
HASHES_AT_ONCE: Final = 1_000_000
_BOM: Final = b"\xef\xbb\xbf"
_UNREADABLE: Final = (FileUnreadable, UrlForbidden, PayloadTooLarge)


@dataclass(frozen=True, slots=True)
class Stores:
    """Where jobs and files are kept, and audiences counted."""

    jobs: JobStore
    files: FileStore
    audience: AudienceStore


class ImportRunner:
    """Runs one job after the other; several runners share the work by leases."""

    def __init__(
        self,
        stores: Stores,
        writer: RowWriter,
        fetcher: Fetcher,
        events: EventPublisher,
        clock: Clock,
        most_bytes: int,
    ) -> None:
        self._jobs, self._files, self._audience = stores.jobs, stores.files, stores.audience
        self._writer = writer
        self._fetcher = fetcher
        self._events = events
        self._clock = clock
        self._most_bytes = most_bytes
        self._runner = new_id()

    async def run_one(self, stopping: asyncio.Event) -> bool:
        """Run a job that waits, to its end or until told to stop; False when none waits."""
        claimed = await self._jobs.claim(self._runner)
        if claimed is None:
            return False
        job, cursor = claimed
        with suppress(LeaseLost):
            try:
                await self._run(job, cursor, stopping)
            except _UNREADABLE as error:
                await self._fail(job.job_id, job.application_id, error.message)
        return True

    async def fail(self, message: str) -> None:
        """End the job in hand as FAILED."""
        for job in await self._jobs.held_by(self._runner):
            await self._fail(job.job_id, job.application_id, message)

    async def _fail(self, job_id: str, application_id: str, message: str) -> None:
        job = await self._jobs.get(application_id, job_id)
        failed = replace(
            job,
            status="FAILED",
            failed_pieces=job.failed_pieces + 1,
            failures=(message, *job.failures),
            completion_date=self._clock.now(),
        )
        await self._jobs.finish(failed, self._runner)
        await self._files.delete(job_id)

    async def _run(self, job: Job, cursor: Cursor, stopping: asyncio.Event) -> None:
        if job.definition.source_url and job.status in {"CREATED", "INITIALIZING"}:
            job = await self._fetch(job, cursor)
        if cursor.time is None:
            cursor = replace(cursor, time=self._next_time(None))
            job = replace(job, status="PROCESSING")
            await self._jobs.save(job, cursor, self._runner)
        while cursor.piece < job.total_pieces:
            if stopping.is_set():
                await self._jobs.release(job.job_id, self._runner)
                return
            job, cursor = await self._piece(job, cursor)
            await self._jobs.save(job, cursor, self._runner)
        await self._complete(job, cursor)

    async def _fetch(self, job: Job, cursor: Cursor) -> Job:
        """Bring the file in. After a crash it is fetched again from the start."""
        job = replace(job, status="INITIALIZING")
        await self._jobs.save(job, cursor, self._runner)
        spool = Spool(self._files, job.job_id, self._most_bytes, self._clock.now())
        async for chunk in self._fetcher.chunks(job.definition.source_url):
            before = spool.pieces
            await spool.add(chunk)
            if spool.pieces != before:
                await self._jobs.renew(job.job_id, self._runner)
        await spool.close()
        return replace(job, total_pieces=spool.pieces)

    def _next_time(self, last: datetime | None) -> datetime:
        now = to_millisecond(self._clock.now())
        return now if last is None else max(now, last + timedelta(milliseconds=1))

    async def _piece(self, job: Job, cursor: Cursor) -> tuple[Job, Cursor]:
        """Job and cursor after the piece at the cursor."""
        piece = await self._files.get(job.job_id, cursor.piece)
        last = cursor.piece == job.total_pieces - 1
        lines, carry = split_lines(cursor.carry, piece, last=last)
        numbered = _filled(lines, cursor.line)
        header = cursor.header
        if job.definition.format == "CSV" and header is None:
            header = _header(numbered)
        if header is not None and job.definition.source_url.endswith("/"):
            # Each file of a folder has its header row; one is enough.
            numbered = (row for row in numbered if row[1] != header.encode())
        tally = Tally()
        now = cursor.time or self._next_time(None)
        occasion = Occasion(job.application_id, job.job_id, now)
        reader: Reader = CsvReader(header) if header is not None else read_json
        while batch := list(islice(numbered, ROWS_AT_ONCE)):
            rows = read_rows(batch, reader, tally)
            await self._writer.take(job, rows, occasion, tally)
            await self._jobs.renew(job.job_id, self._runner)
        await self._files.put_hashes(job.job_id, cursor.piece, tally.hashes.tobytes(), now)
        after = Cursor(
            cursor.piece + 1, carry, cursor.line + len(lines), header, self._next_time(now)
        )
        done = replace(tally.added_to(job), completed_pieces=job.completed_pieces + 1)
        return done, after

    async def _complete(self, job: Job, cursor: Cursor) -> None:
        job = replace(job, status="COMPLETING")
        await self._jobs.save(job, cursor, self._runner)
        report = replace(job.report, duplicates=await self._duplicates(job))
        definition = job.definition
        if definition.define_segment and not definition.validate_only:
            channels = await self._audience.segment_channels(
                job.application_id, definition.segment_id
            )
            # Before the job is done: a crash in between tells it again, which is known by its id.
            await self._events.segment_imported(job, channels, self._clock.now())
        done = replace(job, status="COMPLETED", report=report, completion_date=self._clock.now())
        await self._jobs.finish(done, self._runner)
        await self._files.delete(job.job_id)

    async def _duplicates(self, job: Job) -> int:
        """Rows whose address occurs in an earlier row, counted in passes of bounded memory."""
        passes = job.processed // HASHES_AT_ONCE + 1
        repeated = 0
        for turn in range(passes):
            seen: set[int] = set()
            for number in range(job.total_pieces):
                hashes = array("Q")
                hashes.frombytes(await self._files.hashes(job.job_id, number))
                mine = [value for value in hashes if value % passes == turn]
                known = len(seen)
                seen.update(mine)
                repeated += len(mine) - (len(seen) - known)
            await self._jobs.renew(job.job_id, self._runner)
        return repeated


def _filled(lines: list[bytes], before: int) -> Iterator[tuple[int, bytes]]:
    """Lines that hold something, with their numbers in the file."""
    for number, line in enumerate(lines, before + 1):
        text = line.removesuffix(b"\r")
        if number == 1:
            text = text.removeprefix(_BOM)
        if text.strip():
            yield number, text


def _header(numbered: Iterator[tuple[int, bytes]]) -> str:
    """The header row. Raises FileUnreadable."""
    number, line = next(numbered, (0, b""))
    try:
        header = line.decode()
        CsvReader(header)
    except UnicodeDecodeError as error:
        raise FileUnreadable(f"line {number}: the header is not UTF-8") from error
    return header
