"""Export jobs: what is asked, and where they stand (spec 4.7)."""

from dataclasses import dataclass, field
from datetime import datetime

from libs.errors import StateConflict


class ExportFailed(StateConflict):
    """The files cannot be written; the job fails with the message."""

    def __init__(self, message: str) -> None:
        super().__init__("export", "UNWRITABLE", message)


@dataclass(frozen=True, slots=True)
class Definition:
    """What to export: a version of a segment, or everybody when there is no segment."""

    application_id: str
    segment_id: str
    segment_version: int
    target_url: str


@dataclass(frozen=True, slots=True)
class Job:
    """An export. `written` counts endpoints, `pieces` files; `cursor` is where the next begins."""

    job_id: str
    definition: Definition
    status: str
    creation_date: datetime
    written: int = 0
    pieces: int = 0
    cursor: str = ""
    failures: tuple[str, ...] = field(default=())
    completion_date: datetime | None = None

    @property
    def application_id(self) -> str:
        return self.definition.application_id

    @property
    def file_name(self) -> str:
        """Name of the file written next; the same when it is written again."""
        return f"{self.job_id}-{self.pieces:05d}.json.gz"
