"""The range of days a figure is asked for (spec 10.3)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from libs.errors import Violations
from services.analytics.domain.counting import DAY_SECONDS

LONGEST: Final = timedelta(days=31)
FURTHEST_BACK: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class DateRange:
    """From `start` to `end`, both days inclusive."""

    start: datetime
    end: datetime

    @property
    def days(self) -> tuple[int, int]:
        """First and last day, counted from 1970-01-01 in UTC."""
        first, last = int(self.start.timestamp()), int(self.end.timestamp())
        return first // DAY_SECONDS, last // DAY_SECONDS


def date_range(start: datetime | None, end: datetime | None, now: datetime) -> DateRange:
    """The range asked for; the 31 days before `end`, and `now`, stand in for what is not given.

    Raises InvalidFields naming `start_time` or `end_time`.
    """
    end = end or now
    start = start or end - LONGEST
    faults = Violations()
    faults.check(start <= end, "end_time", "must not lie before start_time")
    faults.check(end - start <= LONGEST, "end_time", "must lie within 31 days of start_time")
    faults.check(now - start <= FURTHEST_BACK, "start_time", "must lie in the last 90 days")
    faults.raise_if_any()
    return DateRange(start, end)
