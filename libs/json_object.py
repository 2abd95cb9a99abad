"""A text that is to be a JSON object and goes on to others as it is (RFC 8259)."""

import json
from typing import Any, Final

DEEPEST: Final = 64
"""Levels of nesting. No push service takes more in 4 KB; the parser's own end is near 1,000."""


def json_object(text: str) -> dict[str, Any] | None:
    """The object that a text is as JSON; None when it is none, or is nested too deep.

    Strict where Python's parser is not: without NaN and infinity, and without half a surrogate
    pair, which no UTF-8 text can carry on.
    """
    try:
        document = json.loads(text)
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) and _is_shallow(document) else None


def _is_shallow(document: object) -> bool:
    level = [document]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _members(outer)]
        if not level:
            return True
    return False


def _members(value: object) -> list[object]:
    """The values of an object or list that have members of their own."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [one for one in inner if isinstance(one, dict | list)]
