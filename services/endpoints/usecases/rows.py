"""Rows of an import, a batch at a time: read, written or looked up, and counted."""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from libs.errors import InvalidFields, Violation
from services.endpoints.domain.endpoint import Change, Occasion
from services.endpoints.domain.identity import document_id, reach_of
from services.endpoints.domain.instants import to_millisecond
from services.endpoints.domain.jobs import MOST_FAILURES, Job, Report
from services.endpoints.domain.rows import Reader, header_of, told
from services.endpoints.store.endpoints import EndpointStore
from services.endpoints.usecases.upsert import Options, Upserts

_NOBODY = (Violation("Id", "no such endpoint"),)
_NO_USER = (Violation("User.UserId", "the user has no endpoints"),)
_CONFLICT = (Violation("Id", "was changed by others at the same time; import it again"),)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that could be read."""

    line: int
    change: Change


@dataclass(slots=True)
class Tally:
    """What a piece held so far. `hashes` are of addresses, to count repeated ones at the end."""

    processed: int = 0
    failed: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    created: int = 0
    updated: int = 0
    missing_timezone: int = 0
    opted_out: int = 0
    channels: Counter[str] = field(default_factory=Counter)
    hashes: "array[int]" = field(default_factory=lambda: array("Q"))
    born: set[str] = field(default_factory=set)

    def refuse(self, line: int, faults: Iterable[Violation]) -> None:
        """Count a row that was not taken."""
        self.failed += 1
        self.failures.append((line, told(line, faults)))

    def accept(self, change: Change, channel_type: str, *, created: bool) -> None:
        """Count a row that was; a row with a user alone has no channel."""
        self.created += created
        self.updated += not created
        self.missing_timezone += not change.demographic.get("timezone")
        self.opted_out += change.opted_out is True
        if channel_type:
            self.channels[channel_type] += 1
        if reach := reach_of(change.channel_type, change.address or ""):
            digest = blake2b(reach.encode(errors="replace"), digest_size=8).digest()
            self.hashes.append(int.from_bytes(digest, "big"))

    def added_to(self, job: Job) -> Job:
        """The job with these figures on top."""
        report = job.report
        return replace(
            job,
            processed=job.processed + self.processed,
            failed=job.failed + self.failed,
            failures=(*job.failures, *(text for _, text in sorted(self.failures)))[:MOST_FAILURES],
            report=Report(
                report.created + self.created,
                report.updated + self.updated,
                report.duplicates,
                report.missing_timezone + self.missing_timezone,
                report.opted_out + self.opted_out,
                dict(Counter(report.channels) + self.channels),
            ),
        )


def read_rows(lines: Iterable[tuple[int, bytes]], reader: Reader, tally: Tally) -> list[Row]:
    """The rows of numbered lines; those that cannot be read are counted as refused."""
    rows: list[Row] = []
    for number, line in lines:
        tally.processed += 1
        try:
            rows.append(Row(number, reader(line.decode())))
        except UnicodeDecodeError:
            tally.refuse(number, [Violation("row", "is not UTF-8")])
        except InvalidFields as error:
            tally.refuse(number, error.violations)
    return rows


class RowWriter:
    """Does with rows what their job asks for."""

    def __init__(self, upserts: Upserts, store: EndpointStore) -> None:
        self._upserts = upserts
        self._store = store

    async def take(self, job: Job, rows: Sequence[Row], occasion: Occasion, tally: Tally) -> None:
        """Write, look up or only check a batch of rows; repeating it changes nothing."""
        users = [row for row in rows if not row.change.endpoint_id]
        endpoints = [row for row in rows if row.change.endpoint_id]
        if endpoints and job.definition.register_endpoints:
            await self._write(job, endpoints, occasion, tally)
        elif endpoints:
            await self._look_up(job, endpoints, tally)
        if users:  # last: their endpoints may be among the others
            await self._users(job, users, tally)

    async def _write(self, job: Job, rows: Sequence[Row], occasion: Occasion, tally: Tally) -> None:
        definition = job.definition
        options = Options(
            whole=True,
            joins=definition.segment_id if definition.define_segment else "",
            check_only=definition.validate_only,
        )
        changes = [row.change for row in rows]
        outcomes = await self._upserts.apply(occasion, changes, options)
        moment = to_millisecond(occasion.now)
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome.endpoint is None:
                faults = [replace(v, field=header_of(v.field)) for v in outcome.refusal]
                tally.refuse(row.line, faults or _CONFLICT)
                continue
            # The piece's own time tells endpoints it made from older ones, when repeated too.
            key = row.change.endpoint_id.lower()
            created = outcome.endpoint.creation_date == moment and key not in tally.born
            tally.born.add(key) if created else None
            tally.accept(row.change, outcome.endpoint.channel_type, created=created)

    async def _look_up(self, job: Job, rows: Sequence[Row], tally: Tally) -> None:
        application_id = job.application_id
        keys = {row.line: document_id(application_id, row.change.endpoint_id) for row in rows}
        reaches = {
            row.line: reach_of(row.change.channel_type, row.change.address or "") for row in rows
        }
        found = await self._store.stored(set(keys.values()))
        others = {reaches[line] for line, key in keys.items() if key not in found} - {""}
        holders = await self._store.holders(application_id, others)
        found.update(await self._store.stored(set(holders.values())))
        members: set[str] = set()
        for row in rows:
            key = keys[row.line]
            key = key if key in found else holders.get(reaches[row.line], "")
            if key in found:
                members.add(key)
                tally.accept(row.change, found[key].endpoint.channel_type, created=False)
            else:
                tally.refuse(row.line, _NOBODY)
        await self._mark(job, members)

    async def _users(self, job: Job, rows: Sequence[Row], tally: Tally) -> None:
        """A row with a user alone stands for all endpoints of the user (spec 4.5)."""
        wanted = {row.change.user_id for row in rows} - {None}
        found = await self._store.members(job.application_id, {user for user in wanted if user})
        known = {endpoint.user_id for _, endpoint in found}
        for row in rows:
            if row.change.user_id not in known:
                tally.refuse(row.line, _NO_USER)
            else:
                tally.accept(row.change, "", created=False)
        await self._mark(job, {key for key, _ in found})

    async def _mark(self, job: Job, members: set[str]) -> None:
        if job.definition.define_segment and not job.definition.validate_only:
            await self._store.mark(members, job.definition.segment_id)
