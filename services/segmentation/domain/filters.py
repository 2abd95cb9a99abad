"""The filter a segment compiles to: a tree of groups and tests over one endpoint, in plain values.

The nodes mirror EndpointFilter. `label` says in the author's words what a node is about; it takes
no part in comparison.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from dataclasses import field as option  # `field` is the name of a node's part here
from datetime import datetime
from typing import Final


@dataclass(frozen=True, slots=True)
class Group:
    """`kind` is ALL, ANY or NONE. Without parts ALL and NONE are true, ANY is false."""

    kind: str
    filters: tuple["Filter", ...] = ()
    label: str = option(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Text:
    """IN, NOT_IN or CONTAINS; a list matches when any of its elements does."""

    field: str
    name: str
    operator: str
    values: tuple[str, ...]
    label: str = option(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Instant:
    """True when some value is an instant in the range; None is an open end."""

    field: str
    name: str
    start: datetime | None = None
    end: datetime | None = None
    start_inclusive: bool = False
    end_inclusive: bool = False
    label: str = option(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Version:
    """EQUAL, GREATER_THAN, ...; False when absent."""

    field: str
    name: str
    comparison: str
    version: str
    label: str = option(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """EQUAL, GREATER_THAN, ...; False when absent."""

    name: str
    comparison: str
    value: float
    label: str = option(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Distance:
    """True when the great-circle distance is not above the range."""

    latitude: float
    longitude: float
    range_km: float
    label: str = option(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Activity:
    """Active: last activity at or after `since`; not active: before it."""

    active: bool
    since: datetime
    label: str = option(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Imported:
    """True for members of an imported segment."""

    segment_id: str
    label: str = option(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Channel:
    """True when the channel is (`included`), or is not, one of those; PUSH is the whole family."""

    included: bool
    channel_types: tuple[str, ...]
    label: str = option(default="", compare=False)


Filter = Group | Text | Instant | Version | Number | Distance | Activity | Imported | Channel
EVERYBODY: Final = Group("ALL")
NOBODY: Final = Group("ANY")


def labelled(node: Filter, label: str) -> Filter:
    """The node with other words, unless there are none."""
    return replace(node, label=label) if label else node


def nodes(root: Filter) -> Iterator[tuple[str, Filter]]:
    """Path and node, depth first. A path is child numbers with dots; the root's is empty."""
    stack: list[tuple[str, Filter]] = [("", root)]
    while stack:
        path, node = stack.pop()
        yield path, node
        if isinstance(node, Group):
            lead = f"{path}." if path else ""
            children = [(f"{lead}{n}", part) for n, part in enumerate(node.filters)]
            stack.extend(reversed(children))


def size(root: Filter) -> int:
    """Number of nodes. Shared branches are counted each time but walked once."""
    known: dict[int, int] = {}

    def count(node: Filter) -> int:
        if not isinstance(node, Group):
            return 1
        if id(node) not in known:
            known[id(node)] = 1 + sum(map(count, node.filters))
        return known[id(node)]

    return count(root)


def simplified(node: Filter) -> Filter:
    """A filter that admits the same endpoints with fewer nodes.

    Nested groups of one kind become one, parts that are always true or never true are left out,
    groups of one part become the part, and a double negation is resolved.
    """
    if not isinstance(node, Group):
        return node
    return _SIMPLIFIED[node.kind](tuple(map(simplified, node.filters)), node.label)


def _all(parts: tuple[Filter, ...], label: str) -> Filter:
    return NOBODY if NOBODY in parts else _joined("ALL", parts, label)


def _any(parts: tuple[Filter, ...], label: str) -> Filter:
    return EVERYBODY if EVERYBODY in parts else _joined("ANY", parts, label)


def _none(parts: tuple[Filter, ...], label: str) -> Filter:
    flat = _flattened(parts, "ANY")  # none of "any of a, b" is none of a, b
    if EVERYBODY in flat:
        return NOBODY
    if not flat:
        return EVERYBODY
    if len(flat) == 1 and isinstance(flat[0], Group) and flat[0].kind == "NONE":
        return _any(flat[0].filters, label)
    return Group("NONE", flat, label)


_SIMPLIFIED: Final[dict[str, Callable[[tuple[Filter, ...], str], Filter]]] = {
    "ALL": _all,
    "ANY": _any,
    "NONE": _none,
}


def _group(kind: str, parts: tuple[Filter, ...], label: str) -> Filter:
    if len(parts) != 1:
        return Group(kind, parts, label if parts else "")
    only = parts[0]
    return only if only.label else labelled(only, label)


def _flattened(parts: Iterable[Filter], kind: str) -> tuple[Filter, ...]:
    flat: list[Filter] = []
    for part in parts:
        if isinstance(part, Group) and part.kind == kind:
            flat.extend(part.filters)
        else:
            flat.append(part)
    return tuple(flat)


def _joined(kind: str, parts: tuple[Filter, ...], label: str) -> Filter:
    # A part without parts of this kind says nothing; a group left alone keeps its own words.
    telling = tuple(part for part in parts if part != Group(kind))
    if len(telling) == 1:
        return _group(kind, telling, label)
    return _group(kind, _flattened(telling, kind), label)
