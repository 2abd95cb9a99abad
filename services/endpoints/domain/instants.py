"""Instants in attribute values: ISO 8601 in UTC with `Z`, or a date, which is its midnight UTC."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_INSTANT: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?Z)?", re.ASCII
)


def to_millisecond(moment: datetime) -> datetime:
    """The instant without what lies below a millisecond: that is as fine as the store is."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@lru_cache(maxsize=65_536)
def instant_of(text: str) -> datetime | None:
    """The instant a text stands for; None when it is none (spec 4.3: such values never match)."""
    if text[4:5] != "-" or not _INSTANT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # a month 13, a day 31 of February
        return None
    return to_millisecond(moment.replace(tzinfo=UTC))
