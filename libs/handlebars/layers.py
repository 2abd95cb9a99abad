"""Values from ordered layers of plain data: the first layer that has a value wins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from libs.handlebars.values import Values

Path = tuple[str, ...]
Source = Mapping[str, object]
_LISTS = (list, tuple)
_INDEX = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class FlatLayer:
    """A map from dotted names (`User.UserAttributes.FirstName`) to a value or list of values."""

    name: str


@dataclass(frozen=True, slots=True)
class TreeLayer:
    """A nested tree, such as a stored document."""

    name: str


# Steps into a source, and the index to take of the value found or None.
_Candidate = tuple[Path, int | None]
# How a path is looked up in a tree and, at index True, in a flat map.
_Plan = tuple[tuple[_Candidate, ...], tuple[_Candidate, ...]]


class _Plans(dict[Path, _Plan]):
    """The plans made so far; a path's is made when it is first asked for.

    It only grows by the paths of templates, which are few where recipients are many.
    """

    def __init__(self, made: Callable[[Path], _Plan]) -> None:
        super().__init__()
        self._made = made

    def __missing__(self, path: Path) -> _Plan:
        self[path] = plan = self._made(path)
        return plan


class Layers:
    """The order of layers, highest first, and where a short name is looked for.

    A short name is a path of one part, index aside. In each layer it is tried as it stands and
    then under each of `prefixes` in turn, so that `FirstName` finds `User.UserAttributes.FirstName`
    (specification 5.2). A layer's null or empty list is no value, and the next layer is asked.
    """

    def __init__(
        self, layers: Sequence[FlatLayer | TreeLayer], prefixes: Sequence[Path] = ()
    ) -> None:
        self._flat = tuple(isinstance(layer, FlatLayer) for layer in layers)
        self._prefixes = tuple(prefixes)
        self.plans = _Plans(self._made)

    def over(self, *sources: Source | None) -> LayeredResolver:
        """A resolver over one source for each layer, in their order; None is an empty one."""
        if len(sources) != len(self._flat):
            raise ValueError(f"{len(self._flat)} layers need as many sources, got {len(sources)}")
        asked = [(flat, source) for flat, source in zip(self._flat, sources, strict=True) if source]
        return LayeredResolver(self.plans, asked)

    def _made(self, path: Path) -> _Plan:
        indexed = len(path) > 1 and _INDEX.fullmatch(path[-1]) is not None
        name = path[:-1] if indexed else path
        prefixes = ((), *self._prefixes) if len(name) == 1 else ((),)
        flat: list[_Candidate] = []
        for prefix in prefixes:
            flat.append(((".".join(prefix + path),), None))
            if indexed:
                flat.append(((".".join(prefix + name),), int(path[-1])))
        tree = tuple((prefix + path, None) for prefix in prefixes)
        return tree, tuple(flat)


class LayeredResolver:
    """Answers the paths one render asks for; `missing` collects those that had no value."""

    __slots__ = ("_asked", "_plans", "missing")

    def __init__(self, plans: _Plans, asked: list[tuple[bool, Source]]) -> None:
        self._plans = plans
        self._asked = asked
        self.missing: set[Path] = set()

    def __call__(self, path: Path) -> object:
        """The value of a path that is to be printed, noted as missing when there is none."""
        plan = self._plans[path]
        for flat, source in self._asked:
            value = _first(source, plan[flat])
            if value is not None:
                return self._subtree(path) if type(value) is dict else value
        value = self._subtree(path)
        if value is None:
            self.missing.add(path)
        return value

    def probe(self, path: Path) -> object:
        """The value of a path that is only tested: an absent one is an answer, not missing."""
        plan = self._plans[path]
        for flat, source in self._asked:
            value = _first(source, plan[flat])
            if value is not None:
                return self._subtree(path) if type(value) is dict else value
        return self._subtree(path)

    def _subtree(self, path: Path) -> object:
        """All layers' values below a path as one tree, higher layers over lower ones."""
        tree: dict[str, object] = {}
        for flat, source in reversed(self._asked):
            _overlay(tree, _below_flat(source, path) if flat else _below_tree(source, path))
        return _presented(tree) if tree else None


def _first(source: Source, candidates: tuple[_Candidate, ...]) -> object:
    for steps, index in candidates:
        value: object = source
        for step in steps:
            value = value.get(step) if type(value) is dict else _step(value, step)
            if value is None:
                break
        else:
            # Strings first: nearly all values are, and this runs for each variable of a message.
            if type(value) is str and not index:
                return value
            if (found := _presented(value, index)) is not None:
                return found
    return None


def _step(value: object, step: str) -> object:
    if isinstance(value, Mapping):
        return value.get(step)
    return _item(value, int(step)) if _INDEX.fullmatch(step) else None


def _item(value: object, index: int) -> object:
    """An element of a list; one value alone counts as a list of one, as substitutions do."""
    if isinstance(value, _LISTS):
        return value[index] if index < len(value) else None
    return value if index == 0 and not isinstance(value, Mapping) else None


def _presented(value: object, index: int | None = None) -> object:
    """The value as a template sees it: lists print as their first element, empty is absent."""
    if index is not None:
        value = _item(value, index)
    if type(value) is list and value and type(value[0]) is str:
        return Values(value)
    if isinstance(value, _LISTS):
        return Values(map(_presented, value)) if value else None
    if isinstance(value, Mapping):
        return {key: _presented(item) for key, item in value.items()}
    return value


def _below_tree(source: Source, path: Path) -> Iterable[tuple[Path, object]]:
    value: object = source
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return _leaves(value, ()) if isinstance(value, Mapping) else ()


def _leaves(tree: Mapping[str, object], path: Path) -> Iterable[tuple[Path, object]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _below_flat(source: Source, path: Path) -> Iterable[tuple[Path, object]]:
    for name, value in source.items():
        parts = tuple(name.split("."))
        if len(parts) > len(path) and parts[: len(path)] == path:
            yield parts[len(path) :], value


def _overlay(tree: dict[str, object], leaves: Iterable[tuple[Path, object]]) -> None:
    for path, value in leaves:
        if value is None or value == []:
            continue
        branch = tree
        for step in path[:-1]:
            inner = branch.get(step)
            if not isinstance(inner, dict):
                inner = branch[step] = {}
            branch = inner
        branch[path[-1]] = value
