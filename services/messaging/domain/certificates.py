"""Certificates of APNs channels that end soon: who is told, and when (spec 6.5, 10.1)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from libs.ids import derived_id

ALERT_DAYS: Final = 30
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The certificate of an enabled channel, and the day of UTC (ISO 8601) it was last told on."""

    app_id: str
    channel_type: str
    bundle_id: str
    expire_time: datetime
    told_on: str = ""

    def days_left(self, now: datetime) -> float:
        """Days to its end; below 0 once it has ended."""
        return (self.expire_time - now) / _DAY

    def is_due(self, now: datetime) -> bool:
        """Whether it ends within 30 days, or has ended, and was not told today."""
        return self.days_left(now) <= ALERT_DAYS and self.told_on != day_of(now)

    def event_id(self, now: datetime) -> str:
        """The same for every telling of one day."""
        key = (self.app_id, self.channel_type, self.expire_time.isoformat(), day_of(now))
        return derived_id("certificate expiring", *key)


def day_of(now: datetime) -> str:
    """The day of UTC, such as 2026-11-27."""
    return now.date().isoformat()
