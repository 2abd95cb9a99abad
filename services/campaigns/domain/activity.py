"""One run of a campaign as a value, and how its end is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum


class ActivityState(Enum):
    """Where a run stands (spec 8.9)."""

    PENDING = "PENDING"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"


OPEN = frozenset(
    {
        ActivityState.PENDING,
        ActivityState.INITIALIZING,
        ActivityState.RUNNING,
        ActivityState.PAUSED,
    }
)


@dataclass(frozen=True, slots=True)
class Activity:
    """A run. `control` is what the gateway shall do; `applied` what it is known to do."""

    activity_id: str
    application_id: str
    campaign_id: str
    campaign_version: int
    scheduled_start: datetime
    state: ActivityState
    start: datetime | None = None
    end: datetime | None = None
    result: str = ""
    state_reason: str = ""
    control: str = "RELEASE"
    applied: str = "RELEASE"
    audience: bytes = b""
    expire_time: datetime | None = None
    final_counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a run's audience, and how far it has been read."""

    activity_id: str
    number: int
    count: int
    cursor: str = ""
    done: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """The sum over a run's shards."""

    targeted: int
    done: bool
    metrics: Mapping[str, int]


def verdict(totals: Totals, handed_over: int) -> tuple[str, str]:
    """Result and reason of a run whose every message is final."""
    if totals.targeted == 0:
        return "FAIL", "SEGMENT_EMPTY: the segment had no members when the run started"
    if handed_over == 0:
        return "FAIL", "nobody could be reached; see the reasons of the run's messages"
    return "SUCCESS", ""
