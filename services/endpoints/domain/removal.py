"""Attributes an application does not collect any more: names and globs, by kind (spec 2.4)."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import translate
from functools import lru_cache
from typing import Final, TypeVar

from libs.errors import Violations
from services.endpoints.domain.endpoint import Change, Endpoint

KINDS: Final = ("attributes", "metrics", "user_attributes")
MOST_GLOBS: Final = 50
MOST_IN_ALL: Final = 1_000
_LONGEST: Final = 128
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Removed:
    """Globs by kind; a kind that is absent has none."""

    globs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(self.globs.values())

    def kept(self, kind: str, values: Mapping[str, T]) -> Mapping[str, T]:
        """The values whose names are still collected; the same object when all are."""
        globs = self.globs.get(kind)
        if not globs or not values:
            return values
        fits = _fitting(globs)
        left = {name: value for name, value in values.items() if not fits.fullmatch(name)}
        return values if len(left) == len(values) else left

    def covers(self, kind: str, name: str) -> bool:
        """Whether a name of a kind is not collected."""
        globs = self.globs.get(kind)
        return bool(globs) and _fitting(globs or ()).fullmatch(name) is not None


def check_globs(found: Violations, globs: Collection[str]) -> None:
    """Note what is wrong with the names of one request."""
    found.check(1 <= len(globs) <= MOST_GLOBS, "blacklist", f"must have 1 to {MOST_GLOBS} names")
    for index, glob in enumerate(globs):
        fine = 1 <= len(glob) <= _LONGEST
        found.check(fine, f"blacklist[{index}]", f"must have 1 to {_LONGEST} characters")


def without(change: Change, removed: Removed) -> Change:
    """The change without what is not collected."""
    if not removed:
        return change
    return replace(
        change,
        attributes=removed.kept("attributes", change.attributes),
        metrics=removed.kept("metrics", change.metrics),
        user_attributes=removed.kept("user_attributes", change.user_attributes),
    )


def stripped(endpoint: Endpoint, removed: Removed) -> Endpoint:
    """The endpoint without what is not collected."""
    return replace(
        endpoint,
        attributes=removed.kept("attributes", endpoint.attributes),
        metrics=removed.kept("metrics", endpoint.metrics),
        user_attributes=removed.kept("user_attributes", endpoint.user_attributes),
    )


@lru_cache(maxsize=1024)
def _fitting(globs: tuple[str, ...]) -> "re.Pattern[str]":
    # `[` is a plain character here: Pinpoint's globs have no classes.
    return re.compile("|".join(translate(glob.replace("[", "[[]")) for glob in globs))
