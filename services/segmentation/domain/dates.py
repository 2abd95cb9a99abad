"""Dates in criteria: instants, dates, and dates relative to now (spec 4.3)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from services.segmentation.domain.segment import Segment, dimension_sets

DATE_OPERATORS: Final = frozenset({"BEFORE", "AFTER", "ON", "BETWEEN"})
_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?", re.ASCII
)
_RELATIVE: Final = re.compile(r"now(?:([+-]\d{1,5})([dhm]))?", re.ASCII)
_UNITS: Final = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1)}
_TODAY: Final = "today"
EXPECTED: Final = "must be an ISO 8601 instant with Z or an offset, a date, now, now-90d or today"


@dataclass(frozen=True, slots=True)
class Moment:
    """What relative dates are relative to: an instant, and the zone whose midnight begins today."""

    now: datetime
    zone: tzinfo = UTC


def instant_of(text: str, moment: Moment) -> datetime | None:
    """The instant meant, in UTC; None when the text is no date.

    A date is its midnight UTC; `today` is the midnight that began the day in the moment's zone.
    """
    if text == _TODAY:
        return datetime.combine(_today(moment), time(), moment.zone).astimezone(UTC)
    if relative := _RELATIVE.fullmatch(text):
        count, unit = relative.groups()
        return moment.now + (_UNITS[unit] * int(count) if unit else timedelta())
    return _iso(text)


def day_of(text: str, moment: Moment) -> date | None:
    """The calendar date meant; None when the text is no date.

    It is compared with UTC dates (spec 4.3, ON). `today` is the date in the moment's zone, not the
    UTC date of its midnight, which east of Greenwich would be yesterday.
    """
    if text == _TODAY:
        return _today(moment)
    instant = instant_of(text, moment)
    return instant.date() if instant else None


def is_relative(text: str) -> bool:
    """Whether a date depends on when it is read."""
    return text == _TODAY or _RELATIVE.fullmatch(text) is not None


def needs_zone(segment: Segment) -> bool:
    """Whether the segment's meaning depends on the project's time zone."""
    return any(value == _TODAY for value in _date_values(segment))


def _date_values(segment: Segment) -> Iterator[str]:
    for _, dimensions in dimension_sets(segment):
        for criteria in (dimensions.attributes, dimensions.user_attributes):
            for criterion in criteria.values():
                if criterion.operator in DATE_OPERATORS:
                    yield from criterion.values


def _today(moment: Moment) -> date:
    return moment.now.astimezone(moment.zone).date()


def _iso(text: str) -> datetime | None:
    if not _ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # a month 13; an offset that leaves the years 1 to 9999
        return None
