"""Versions as texts that sort: dot-separated numbers, missing parts are 0, pre-releases lower.

The rule is spec 4.3 (extensions); pre-releases among themselves compare as in Semantic Versioning
2.0.0, section 11. Every number is led by a letter for its length, so that texts compare as numbers
do. After a part comes `!` before a pre-release, `#` at the end, `.` before a further part: in this
order in ASCII, as the versions are.
"""

import re
from functools import lru_cache
from typing import Final

_VERSION: Final = re.compile(
    r"(\d{1,26}(?:\.\d{1,26}){0,19})(?:-([0-9A-Za-z-]{1,40}(?:\.[0-9A-Za-z-]{1,40}){0,9}))?"
    r"(?:\+[0-9A-Za-z.-]{1,64})?",
    re.ASCII,
)


@lru_cache(maxsize=65_536)
def version_key(text: str) -> str | None:
    """The sorting key of a version; None when the text is no version."""
    if not text[:1].isdigit():
        return None
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    numbers = [part.lstrip("0") for part in match[1].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    key = ".".join(_number(number) for number in numbers)
    return f"{key}#" if match[2] is None else f"{key}!{_pre_release(match[2])}"


def _number(digits: str) -> str:
    return f"{chr(ord('@') + len(digits))}{digits}"


def _pre_release(text: str) -> str:
    # A space sorts below every letter of an identifier: fewer identifiers are lower.
    return " ".join(_identifier(part) for part in text.split("."))


def _identifier(part: str) -> str:
    if part.isdigit():
        digits = part.lstrip("0")
        return f"0{len(digits):02d}{digits}"
    return f"1{part}"
