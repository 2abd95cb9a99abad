"""When a campaign starts, and until when it may send (spec 8.3, 8.5)."""

from datetime import UTC, datetime, timedelta

from libs.errors import Violations
from services.campaigns.domain.campaign import IN_APP_EVENT, Limits, Schedule

IMMEDIATE = "IMMEDIATE"
IN_APP_LEAD = timedelta(minutes=15)
_GRACE = timedelta(minutes=1)


def parse_instant(text: str) -> datetime | None:
    """An ISO 8601 instant with an offset (`Z`, `+02:00`, `-0700`); None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None


def start_of(schedule: Schedule, now: datetime, found: Violations) -> datetime:
    """The instant a run is due; notes what is wrong with the schedule.

    A start in the past is refused (spec 8.3), with a minute's grace for the way here. An in-app
    campaign starts 15 minutes ahead (spec 6.7), or IMMEDIATE when its author wants it at once.
    """
    if schedule.start_time in ("", IMMEDIATE):
        start = now
        found.check(schedule.start_time, "campaign.schedule.start_time", "is required")
    else:
        parsed = parse_instant(schedule.start_time)
        start = parsed or now
        field = "campaign.schedule.start_time"
        if found.check(parsed, field, "must be IMMEDIATE or an ISO 8601 instant with offset"):
            _check_ahead(schedule, start, now, found)
    end = parse_instant(schedule.end_time) if schedule.end_time else None
    if schedule.end_time and found.check(
        end, "campaign.schedule.end_time", "must be an ISO 8601 instant with offset"
    ):
        later = end is not None and end > start
        found.check(later, "campaign.schedule.end_time", "must be after start_time")
    return start


def _check_ahead(schedule: Schedule, start: datetime, now: datetime, found: Violations) -> None:
    field = "campaign.schedule.start_time"
    if schedule.frequency == IN_APP_EVENT:
        fine = start >= now + IN_APP_LEAD - _GRACE
        found.check(fine, field, "must be at least 15 minutes ahead, or IMMEDIATE")
    else:
        found.check(start >= now - _GRACE, field, "is in the past")


def expiry(schedule: Schedule, limits: Limits, start: datetime) -> datetime | None:
    """After this nothing is sent: the end or the maximum duration, whichever is first."""
    ends = [parse_instant(schedule.end_time)] if schedule.end_time else []
    if limits.maximum_duration:
        ends.append(start + timedelta(seconds=limits.maximum_duration))
    return min((end for end in ends if end is not None), default=None)
