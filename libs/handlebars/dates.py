"""Dates of templates: Java patterns in and out, in any time zone (specification 5.3)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from libs.handlebars.date_patterns import Piece, formatted, pieces, read
from libs.handlebars.errors import RenderError
from libs.handlebars.values import scalar, text

if TYPE_CHECKING:
    from libs.handlebars.runtime import State

# Java's DateFormat styles in English.
_STYLES: Final = {
    "full": "EEEE, MMMM d, yyyy",
    "long": "MMMM d, yyyy",
    "medium": "MMM d, yyyy",
    "short": "M/d/yy",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A count of seconds this large lies in the year 5138; such a number counts milliseconds.
_MILLISECONDS_FROM = 100_000_000_000
_NUMBER = re.compile(r"-?[0-9]{1,15}")


def date_format(
    value: object = None,
    first: object = None,
    second: object = None,
    tz: object = None,
    *,
    input_format: object = None,
    output_format: object = None,
) -> str:
    """A date in another form; without `inputFormat` it is ISO 8601 or a Unix time.

    One format alone is the output, two are input and output, each a style (full, long, medium,
    short) or a Java pattern. Times without zone are UTC; `tz` names the zone of the output.
    Raises RenderError for a date, pattern or zone it cannot read; a missing date prints nothing.
    """
    given = scalar(value)
    if given is None or given == "":
        return ""
    if second is None:
        output_format = first if output_format is None else output_format
    else:
        input_format = first if input_format is None else input_format
        output_format = second if output_format is None else output_format
    moment = _moment(given, _pattern(input_format) if input_format is not None else None)
    return formatted(_in_zone(moment, tz), _pattern(output_format))


def now_text(state: State, output_format: object = None, tz: object = None) -> str:
    """The render's own time in a style or pattern, by default medium and UTC."""
    return formatted(_in_zone(state.now, tz), _pattern(output_format))


def _pattern(given: object) -> tuple[Piece, ...]:
    name = text(scalar(given)) or "medium"
    try:
        return pieces(_STYLES.get(name.lower(), name))
    except ValueError as error:
        raise RenderError(str(error)) from error


def _in_zone(moment: datetime, tz: object) -> datetime:
    name = text(scalar(tz))
    return moment.astimezone(_zone(name)) if name else moment


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RenderError(f"unknown time zone {name[:64]!r}") from error


def _moment(value: object, pattern: tuple[Piece, ...] | None) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    spelled = text(value).strip()
    read_moment: Callable[[str], datetime] = _standard
    try:
        return read(spelled, pattern) if pattern is not None else read_moment(spelled)
    except (ValueError, OverflowError) as error:
        raise RenderError("the date does not have the form given") from error


def _standard(spelled: str) -> datetime:
    if _NUMBER.fullmatch(spelled):
        number = int(spelled)
        return _EPOCH + timedelta(
            seconds=number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
        )
    moment = datetime.fromisoformat(spelled)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
