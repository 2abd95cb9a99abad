"""JavaScript's view of plain data: text, truth, property access and equality of values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

Resolve = Callable[[tuple[str, ...]], object]

_HTML: Final = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "'": "&#x27;",
        "`": "&#x60;",
        "=": "&#x3D;",
    }
)
_unsafe = re.compile("[&<>\"'`=]").search
_INDEX = re.compile(r"0|[1-9][0-9]*")
# Above this a JavaScript number is printed with an exponent, below it in full.
_EXPONENT_FROM = 1e21
# Up to here a double holds every integer; beyond it prints its shortest digits, then zeros.
_EXACT = 2**53


_LISTS: Final = (list, tuple)
_INDEXED: Final = (list, tuple, str)


class Values(list[object]):
    """A list that prints as its first element (specification 5.2) and is a list otherwise."""

    __slots__ = ()


class Root:
    """The data a template is rendered with, reached only by asking for a path."""

    __slots__ = ("probe", "resolve")

    def __init__(self, resolve: Resolve, probe: Resolve) -> None:
        self.resolve = resolve
        self.probe = probe


def unrooted(value: object) -> object:
    """The value itself, where the root context is used as data."""
    return value.resolve(()) if type(value) is Root else value


def scalar(value: object) -> object:
    """What a function of one value gets: of a rendered-as-first list, its first element."""
    if type(value) is Values:
        return value[0] if value else None
    return unrooted(value)


def text(value: object) -> str:
    """The value as JavaScript's string conversion prints it; null and undefined print nothing."""
    if type(value) is Values:
        value = value[0] if value else None
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _float_text(value) if isinstance(value, float) else _container_text(value)


def _container_text(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (Values, Root)):
        return text(scalar(value))
    if isinstance(value, _LISTS):
        return ",".join(map(text, value))
    return "[object Object]" if isinstance(value, Mapping) else str(value)


def _float_text(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    size = abs(value)
    if size < _EXACT and value == int(value):
        return str(int(value))
    shortest = repr(value)
    if "e" not in shortest:
        return shortest.removesuffix(".0")
    if 1e-6 <= size < _EXPONENT_FROM:
        return format(Decimal(shortest), "f")
    mantissa, _, exponent = shortest.partition("e")
    return f"{mantissa}e{int(exponent):+d}"


def escaped(value: object) -> str:
    """The value's text with the seven characters Handlebars escapes made HTML entities."""
    if type(value) is not str:
        value = text(value)
    return value.translate(_HTML) if _unsafe(value) else value


def truthy(value: object) -> bool:
    """Truth as `#if` sees it: null, false, 0, NaN, "" and the empty list are false."""
    if value:
        return value == value
    return isinstance(value, Mapping)


def present(value: object) -> bool:
    """Truth as `#with` and `includeZero` see it: as `truthy`, but 0 is true."""
    return truthy(value) or (value == 0 and not isinstance(value, bool))


def truthy_script(value: object) -> bool:
    """Truth as JavaScript's own `if` sees it: any list and object is true."""
    return truthy(value) or isinstance(value, _LISTS)


def get(value: object, name: str) -> object:
    """The property `name` of one value, or None: own properties only, as the reference allows."""
    if type(value) is dict or isinstance(value, Mapping):
        return value.get(name)
    if isinstance(value, _INDEXED):
        if name == "length":
            return _length(value)
        if _INDEX.fullmatch(name) and len(name) < 10 and int(name) < len(value):
            return value[int(name)]
    return None


def _length(value: list[object] | tuple[object, ...] | str) -> int:
    """JavaScript counts a string in UTF-16 units."""
    if isinstance(value, str):
        return len(value.encode("utf-16-le", "surrogatepass")) // 2
    return len(value)


def look(value: object, parts: tuple[str, ...]) -> object:
    """Follow a path from a context; the root context resolves it as one."""
    if type(value) is Root:
        return value.resolve(parts)
    return _dig(value, parts)


def peek(value: object, parts: tuple[str, ...]) -> object:
    """As `look`, for a path that is only tested, not printed."""
    if type(value) is Root:
        return value.probe(parts)
    return _dig(value, parts)


def _dig(value: object, parts: tuple[str, ...]) -> object:
    for part in parts:
        if value is None:
            return None
        value = look(value, (part,)) if type(value) is Root else get(value, part)
    return value


_CONTAINERS: Final = (list, tuple, Mapping, Root)


def same_context(left: object, right: object) -> bool:
    """JavaScript's `==` between two contexts: identity for containers, loose for the rest."""
    if left is right:
        return True
    if left is None or right is None or isinstance(left, _CONTAINERS):
        return False
    return not isinstance(right, _CONTAINERS) and _loosely_equal(left, right)


def _loosely_equal(left: object, right: object) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    try:
        return float(_numeric(left)) == float(_numeric(right))
    except ValueError:
        return False


def _numeric(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return text(value).strip() or "0"


def own_items(value: object) -> list[tuple[object, object]]:
    """What `#each` walks: (index, item) of a list, (key, item) of an object, else nothing."""
    value = unrooted(value)
    if isinstance(value, _LISTS):
        return list(enumerate(value))
    if not isinstance(value, Mapping):
        return []
    # JavaScript lists integer keys first, in ascending order.
    keys = [key for key in value if _INDEX.fullmatch(str(key))]
    if not keys:
        return list(value.items())
    keys.sort(key=int)
    keys += [key for key in value if not _INDEX.fullmatch(str(key))]
    return [(key, value[key]) for key in keys]
