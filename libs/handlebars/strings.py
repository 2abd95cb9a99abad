"""String functions of templates (specification 5.3); a missing value is the empty text."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

from libs.handlebars.errors import RenderError, RenderLimitError
from libs.handlebars.numbers import as_number
from libs.handlebars.values import scalar, text, truthy, unrooted

# No message is wider, and a wider pad would only serve to exhaust memory.
MAX_WIDTH = 10_000
MAX_CHARACTERS = 1_000_000

_WORD_START = re.compile(r"(?<!\S)\S")
_WORD = re.compile(r"\S+")
_MARKUP = re.compile(r"<[^<>]*>")
_ELLIPSIS = "..."


def _text(value: object) -> str:
    return text(scalar(value))


def _integer(name: str, value: object) -> int:
    number = as_number(scalar(value))
    if number is None:
        raise RenderError(f"{name}: the size must be a number")
    # Clamped before the conversion: an integer of hundreds of digits is of no use here.
    return int(max(min(number, Decimal(10**9)), Decimal(-(10**9))))


def _width(name: str, value: object) -> int:
    width = _integer(name, value)
    if width > MAX_WIDTH:
        raise RenderLimitError(f"{name}: wider than {MAX_WIDTH} characters")
    return max(width, 0)


def lower(value: object = None) -> str:
    return _text(value).lower()


def upper(value: object = None) -> str:
    return _text(value).upper()


def capitalize(value: object = None, fully: object = None) -> str:
    """Each word with a capital; `fully=true` also lowers the rest."""
    words = _text(value)
    if truthy(fully):
        words = words.lower()
    return _WORD_START.sub(lambda match: match.group().upper(), words)


def capitalize_first(value: object = None) -> str:
    words = _text(value)
    return words[:1].upper() + words[1:]


def abbreviate(value: object = None, size: object = None) -> str:
    """At most `size` characters, the last three being dots where text was left out."""
    words, width = _text(value), _width("abbreviate", size)
    if len(words) <= width:
        return words
    if width <= len(_ELLIPSIS):
        return _ELLIPSIS[:width]
    return words[: width - len(_ELLIPSIS)] + _ELLIPSIS


def _pads(name: str, value: object, size: object, pad: object) -> tuple[str, int, str]:
    words = _text(value)
    return words, max(_width(name, size) - len(words), 0), _text(pad) or " "


def _run(pad: str, length: int) -> str:
    return (pad * (length // len(pad) + 1))[:length]


def center(value: object = None, size: object = None, pad: object = None) -> str:
    """The text in the middle of `size` characters, an odd pad going to the right."""
    words, room, fill = _pads("center", value, size, pad)
    return _run(fill, room // 2) + words + _run(fill, room - room // 2)


def left_justified(value: object = None, size: object = None, pad: object = None) -> str:
    words, room, fill = _pads("ljust", value, size, pad)
    return words + _run(fill, room)


def right_justified(value: object = None, size: object = None, pad: object = None) -> str:
    words, room, fill = _pads("rjust", value, size, pad)
    return _run(fill, room) + words


def cut(value: object = None, target: object = None) -> str:
    """The text without `target`, by default without spaces."""
    return _text(value).replace(_text(target) or " ", "")


def replace(value: object = None, target: object = None, replacement: object = None) -> str:
    """The text with each `target` replaced; an empty target changes nothing."""
    words, old, new = _text(value), _text(target), _text(replacement)
    if not old:
        return words
    _check_size("replace", len(words) + words.count(old) * (len(new) - len(old)))
    return words.replace(old, new)


def _check_size(name: str, size: int) -> None:
    if size > MAX_CHARACTERS:
        raise RenderLimitError(f"{name}: longer than {MAX_CHARACTERS} characters")


def join(*values: object, sep: object = None, prefix: object = None, suffix: object = None) -> str:
    """A list with a separator between its items; or values, the last being the separator."""
    items = [unrooted(value) for value in values]
    if items and isinstance(items[0], list | tuple):
        rest = items[1:]
        items = list(items[0])
        padded = [*rest, None, None, None][:3]
        named = zip((sep, prefix, suffix), padded, strict=True)
        sep, prefix, suffix = (given if given is not None else other for given, other in named)
    elif sep is None and len(items) > 1:
        sep = items.pop()
    between = "" if sep is None else _text(sep)
    pieces = [_text(item) for item in items]
    _check_size("join", sum(map(len, pieces)) + len(pieces) * len(between))
    return _text(prefix) + between.join(pieces) + _text(suffix)


def slugify(value: object = None) -> str:
    """Lower case ASCII words joined by hyphens: `Crème brûlée!` gives `creme-brulee`."""
    plain = unicodedata.normalize("NFKD", _text(value)).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain)).strip("-").lower()


def strip_tags(value: object = None) -> str:
    return _MARKUP.sub("", _text(value))


def substring(value: object = None, start: object = None, end: object = None) -> str:
    """The characters from `start` (counted from 0) up to `end`, by default to the end."""
    words = _text(value)
    first = max(_integer("substring", start), 0)
    last = len(words) if end is None else max(_integer("substring", end), 0)
    return words[first:last]


def inflect(
    count: object = None,
    singular: object = None,
    plural: object = None,
    include_count: object = None,
) -> str:
    """The singular for a count of one, else the plural; `includeCount` puts the count before."""
    number = as_number(scalar(count))
    word = _text(singular) if number == 1 else _text(plural)
    return f"{_text(count)} {word}" if truthy(include_count) else word


def ordinalize(value: object = None) -> str:
    """An integer with its English suffix; anything else unchanged."""
    words = _text(value)
    if not re.fullmatch(r"[+-]?[0-9]{1,40}", words):
        return words
    if words[-2:].lstrip("+-") in ("11", "12", "13"):
        return words + "th"
    return words + {"1": "st", "2": "nd", "3": "rd"}.get(words[-1], "th")


def yesno(value: object = None, yes: object = None, no: object = None, maybe: object = None) -> str:
    """`yes` for a true value, `no` for a false one (also spelled out), `maybe` for a missing."""
    given = scalar(value)
    if given is None:
        return "maybe" if maybe is None else _text(maybe)
    spelled = given.strip().lower() if isinstance(given, str) else ""
    if truthy(given) and spelled not in ("false", "no"):
        return "yes" if yes is None else _text(yes)
    return "no" if no is None else _text(no)
