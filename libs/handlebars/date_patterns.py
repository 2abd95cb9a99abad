"""The letters of Java's date patterns, for printing and reading in English."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_MONTHS: Final = [
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
]
_DAYS: Final = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
# Two-digit years lie in the eighty years before and twenty after, as Java's SimpleDateFormat has
# it; a fixed window keeps a template's meaning from drifting with the clock.
_CENTURY_TURNS_AT = 70
_NAMED_FROM = 3
_FULL_FROM = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """One letter repeated `count` times, or with no letter a literal text."""

    letter: str
    count: int
    literal: str = ""


@lru_cache(maxsize=1024)
def pieces(pattern: str) -> tuple[Piece, ...]:
    """The pieces of a pattern; raises ValueError for a letter or quote Java does not know."""
    found, offset = [], 0
    while offset < len(pattern):
        match = _TOKEN.match(pattern, offset)
        if match is None:
            raise ValueError("the date pattern has an open quote")
        found.append(_piece(match))
        offset = match.end()
    return tuple(found)


def _piece(match: re.Match[str]) -> Piece:
    if match.group(1) is not None:
        quoted = match.group(1).replace("''", "'")
        return Piece("", 0, quoted or "'")
    if match.group(2) is None:
        return Piece("", 0, match.group())
    letter = match.group(2)
    if letter not in _PRINTERS:
        raise ValueError(f"the date pattern has the unknown letter {letter}")
    return Piece(letter, len(match.group()))


def formatted(moment: datetime, pattern: tuple[Piece, ...]) -> str:
    """The moment in a pattern."""
    return "".join(
        _PRINTERS[piece.letter](moment, piece.count) if piece.letter else piece.literal
        for piece in pattern
    )


def _padded(number: int, count: int) -> str:
    return str(number).rjust(count, "0")


def _year(moment: datetime, count: int) -> str:
    return _padded(moment.year % 100, 2) if count == 2 else _padded(moment.year, count)


def _named(names: list[str], index: int, count: int) -> str:
    return names[index] if count >= _FULL_FROM else names[index][:3]


def _month(moment: datetime, count: int) -> str:
    if count < _NAMED_FROM:
        return _padded(moment.month, count)
    return _named(_MONTHS, moment.month - 1, count)


def _fraction(moment: datetime, count: int) -> str:
    return f"{moment.microsecond:06d}".ljust(count, "0")[:count]


def _offset(moment: datetime, separator: str) -> str:
    minutes = int((moment.utcoffset() or timedelta()).total_seconds() // 60)
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}{separator}{abs(minutes) % 60:02d}"


def _iso_offset(moment: datetime, count: int) -> str:
    """X, XX and XXX: `Z` for UTC, else hours, then minutes, then with a colon."""
    offset = _offset(moment, ":" if count >= _NAMED_FROM else "")
    if not moment.utcoffset():
        return "Z"
    return offset[:3] if count == 1 else offset


def _zone_name(moment: datetime, _: int) -> str:
    return moment.tzname() or "UTC"


_PRINTERS: Final[dict[str, Callable[[datetime, int], str]]] = {
    "y": _year,
    "u": _year,
    "M": _month,
    "L": _month,
    "d": lambda moment, count: _padded(moment.day, count),
    "D": lambda moment, count: _padded(moment.timetuple().tm_yday, count),
    "E": lambda moment, count: _named(_DAYS, moment.weekday(), count),
    "a": lambda moment, _: "AM" if moment.hour < 12 else "PM",
    "H": lambda moment, count: _padded(moment.hour, count),
    "k": lambda moment, count: _padded(moment.hour or 24, count),
    "h": lambda moment, count: _padded(moment.hour % 12 or 12, count),
    "K": lambda moment, count: _padded(moment.hour % 12, count),
    "m": lambda moment, count: _padded(moment.minute, count),
    "s": lambda moment, count: _padded(moment.second, count),
    "S": _fraction,
    "Z": lambda moment, _: _offset(moment, ""),
    "X": _iso_offset,
    "z": _zone_name,
}

_NAMES = r"[A-Za-z]{1,12}"
_ZONE = r"Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?|[A-Za-z_]{1,32}(?:/[A-Za-z_+0-9-]{1,32}){1,2}"


@lru_cache(maxsize=1024)
def _reader(pattern: tuple[Piece, ...]) -> re.Pattern[str]:
    found = []
    for number, piece in enumerate(pattern):
        following = pattern[number + 1 : number + 2]
        # Digits that run into the next field are as many as letters; else as many as there are.
        fixed = bool(following and following[0].letter)
        body = _body(piece, fixed=fixed)
        found.append(f"(?P<f{number}>{body})" if piece.letter else re.escape(piece.literal))
    return re.compile("".join(found), re.IGNORECASE)


def _body(piece: Piece, *, fixed: bool) -> str:
    if piece.letter in "EzZX" or (piece.letter in "ML" and piece.count >= _NAMED_FROM):
        return _ZONE if piece.letter in "zZX" else _NAMES
    if piece.letter == "a":
        return "AM|PM"
    return rf"[0-9]{{{piece.count}}}" if fixed else r"[0-9]{1,9}"


def read(spelled: str, pattern: tuple[Piece, ...]) -> datetime:
    """The moment a text gives in a pattern, UTC where it names no zone; ValueError otherwise."""
    match = _reader(pattern).fullmatch(spelled)
    if match is None:
        raise ValueError("the date does not match its pattern")
    fields: dict[str, int] = {}
    zone: tzinfo = UTC
    for number, piece in enumerate(pattern):
        if not piece.letter:
            continue
        found = match.group(f"f{number}")
        if piece.letter in "zZX":
            zone = _read_zone(found)
        elif piece.letter != "E":
            fields[piece.letter] = _field(piece, found)
    return _assembled(fields, zone)


def _field(piece: Piece, found: str) -> int:
    if piece.letter == "a":
        return int(found.upper() == "PM")
    if piece.letter in "ML" and piece.count >= _NAMED_FROM:
        return [name[:3].lower() for name in _MONTHS].index(found[:3].lower()) + 1
    if piece.letter == "S":
        return int(found.ljust(6, "0")[:6])
    number = int(found)
    if piece.letter in "yu" and piece.count == 2 and len(found) == 2:
        return number + (1900 if number >= _CENTURY_TURNS_AT else 2000)
    return number


def _hour(fields: dict[str, int]) -> int:
    if "h" in fields or "K" in fields:
        return fields.get("h", fields.get("K", 0)) % 12 + 12 * fields.get("a", 0)
    return fields.get("H", fields.get("k", 0) % 24)


def _assembled(fields: dict[str, int], zone: tzinfo) -> datetime:
    year = fields.get("y", fields.get("u", 1970))
    month, day = fields.get("M", fields.get("L", 1)), fields.get("d", 1)
    moment = datetime(
        year,
        month,
        day,
        _hour(fields),
        fields.get("m", 0),
        fields.get("s", 0),
        fields.get("S", 0),
        tzinfo=zone,
    )
    days = fields.get("D")
    return moment if days is None else moment.replace(month=1, day=1) + timedelta(days=days - 1)


def _read_zone(found: str) -> tzinfo:
    if found.upper() in ("Z", "UTC", "GMT"):
        return UTC
    if found[0] not in "+-":
        try:
            return ZoneInfo(found)
        except (KeyError, OSError) as error:
            raise ValueError("unknown time zone") from error
    digits = found[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if found[0] == "-" else offset)
