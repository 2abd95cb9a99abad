"""Import jobs: what is asked, where they stand, what they found (spec 4.6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from libs.errors import StateConflict, Violations

PIECE_BYTES: Final = 1024 * 1024
MOST_FAILURES: Final = 100
FORMATS: Final = frozenset({"CSV", "JSON"})
_LONGEST_TEXT: Final = 2048


class FileUnreadable(StateConflict):
    """A file cannot be read as a whole; the job fails with the message."""

    def __init__(self, message: str) -> None:
        super().__init__("import file", "UNREADABLE", message)


@dataclass(frozen=True, slots=True)
class Definition:
    """What to import and how. `segment_id` is chosen by the service when empty."""

    application_id: str
    format: str
    register_endpoints: bool
    define_segment: bool
    segment_name: str = ""
    segment_id: str = ""
    source_url: str = ""
    validate_only: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """Rows counted by what they hold."""

    created: int = 0
    updated: int = 0
    duplicates: int = 0
    missing_timezone: int = 0
    opted_out: int = 0
    channels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """An import. `processed` counts rows read, `failed` rows refused; `failures` the first 100."""

    job_id: str
    definition: Definition
    status: str
    creation_date: datetime
    total_pieces: int = 0
    completed_pieces: int = 0
    failed_pieces: int = 0
    processed: int = 0
    failed: int = 0
    failures: tuple[str, ...] = ()
    report: Report = field(default_factory=Report)
    completion_date: datetime | None = None

    @property
    def application_id(self) -> str:
        return self.definition.application_id


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a file is read on: the next piece, the started line before it, lines read, the CSV
    header, and the time that all writes of the piece carry, so that repeating it changes nothing.
    """

    piece: int = 0
    carry: bytes = b""
    line: int = 0
    header: str | None = None
    time: datetime | None = None


def check_definition(definition: Definition) -> None:
    """Raise InvalidFields naming every fault (spec 4.6)."""
    found = Violations()
    found.check(definition.format in FORMATS, "definition.format", "must be CSV or JSON")
    asked = definition.register_endpoints or definition.define_segment
    told = "register_endpoints or define_segment must be true"
    found.check(asked, "definition.register_endpoints", told)
    named = definition.segment_name or not definition.define_segment
    found.check(named, "definition.segment_name", "a segment needs a name")
    for name in ("segment_name", "segment_id", "source_url"):
        fine = len(getattr(definition, name)) <= _LONGEST_TEXT
        found.check(fine, f"definition.{name}", f"no more than {_LONGEST_TEXT} characters")
    found.raise_if_any()
