"""The question a filter asks: a tree of groups and tests (EndpointFilter), and its validation."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from libs.errors import Violations
from services.endpoints.domain.channels import CHANNELS
from services.endpoints.domain.versions import version_key

ATTRIBUTES: Final = frozenset({"ATTRIBUTE", "USER_ATTRIBUTE"})
FIELDS: Final = ATTRIBUTES | {"APP_VERSION", "MAKE", "MODEL", "PLATFORM", "COUNTRY", "USER_ID"}
TEXT_OPERATORS: Final = frozenset({"IN", "NOT_IN", "CONTAINS"})
COMPARISONS: Final = frozenset(
    {"EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"}
)
EARTH_KM: Final = 6378.1  # the radius MongoDB's manual gives for distances on a sphere
FARTHEST_KM: Final = 20_037.0  # half the way round
DEEPEST: Final = 40  # a level is two of BSON's, whose documents nest 100 deep
MOST_NODES: Final = 5000
LONGEST_VALUE: Final = 1024
MOST_VALUES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Group:
    """`kind` is ALL, ANY or NONE. Without parts ALL and NONE are true, ANY is false."""

    kind: str
    filters: tuple["Filter", ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """Compares texts; a list matches when any of its elements does."""

    field: str
    operator: str
    values: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Instant:
    """True when some value is an instant in the range; None is an open end."""

    field: str
    name: str
    start: datetime | None
    end: datetime | None
    start_inclusive: bool = False
    end_inclusive: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """Compares versions; False when absent."""

    field: str
    comparison: str
    version: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """Compares a metric; False when absent."""

    name: str
    comparison: str
    value: float


@dataclass(frozen=True, slots=True)
class Distance:
    """True when the great-circle distance is not above the range; False without coordinates."""

    latitude: float
    longitude: float
    range_km: float


@dataclass(frozen=True, slots=True)
class Activity:
    """True when the last activity is at or after `since` (active), or before it (not active)."""

    active: bool
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Imported:
    """True for members of an imported segment."""

    segment_id: str


@dataclass(frozen=True, slots=True)
class Channel:
    """True when the channel is (`included`), or is not, one of those; PUSH is the whole family."""

    included: bool
    channel_types: tuple[str, ...]


Filter = Group | Text | Instant | Version | Number | Distance | Activity | Imported | Channel
EVERYBODY: Final = Group("ALL")


def check_filter(root: Filter, field: str = "filter") -> None:
    """Raise InvalidFields naming every node that asks nonsense."""
    found = Violations()
    count = 0
    for path, depth, node in nodes(root):
        count += 1
        if depth > DEEPEST:
            found.add(field, f"groups nest no deeper than {DEEPEST}")
            break
        _check_node(found, f"{field}[{path}]" if path else field, node)
    found.check(count <= MOST_NODES, field, f"no more than {MOST_NODES} nodes")
    found.raise_if_any()


def nodes(root: Filter) -> Iterator[tuple[str, int, Filter]]:
    """Path, depth and node, depth first. A path is child numbers with dots; the root's is empty."""
    stack: list[tuple[str, int, Filter]] = [("", 0, root)]
    while stack:
        path, depth, node = stack.pop()
        yield path, depth, node
        if isinstance(node, Group):
            lead = f"{path}." if path else ""
            children = [(f"{lead}{n}", depth + 1, part) for n, part in enumerate(node.filters)]
            stack.extend(reversed(children))


def _check_node(found: Violations, at: str, node: Filter) -> None:
    match node:
        case Text():
            _check_field(found, at, node.field, node.name, FIELDS)
            _check_values(found, at, node)
        case Instant():
            _check_field(found, at, node.field, node.name, ATTRIBUTES)
        case Version():
            _check_field(found, at, node.field, node.name, ATTRIBUTES | {"APP_VERSION"})
            found.check(node.comparison in COMPARISONS, f"{at}.comparison", "is not known")
            found.check(version_key(node.version), f"{at}.version", "is no version")
        case Number():
            found.check(node.name, f"{at}.name", "is missing")
            found.check(node.comparison in COMPARISONS, f"{at}.comparison", "is not known")
            found.check(math.isfinite(node.value), f"{at}.value", "must be a finite number")
        case _:
            _check_rest(found, at, node)


def _check_rest(found: Violations, at: str, node: Filter) -> None:
    match node:
        case Distance():
            found.check(abs(node.latitude) <= 90, f"{at}.latitude", "must be -90 to 90")
            found.check(abs(node.longitude) <= 180, f"{at}.longitude", "must be -180 to 180")
            fine = 0 < node.range_km <= FARTHEST_KM
            told = f"must be above 0, to {FARTHEST_KM:g}"
            found.check(fine, f"{at}.range_in_kilometers", told)
        case Activity():
            found.check(node.since, f"{at}.since_time", "is missing")
        case Imported():
            found.check(node.segment_id, f"{at}.segment_id", "is missing")
        case Channel():
            found.check(node.channel_types, f"{at}.channel_types", "are missing")
            known = CHANNELS.issuperset(node.channel_types)
            found.check(known, f"{at}.channel_types", "are not all known")
        case _:
            return


def _check_field(
    found: Violations, at: str, field: str, name: str, allowed: frozenset[str]
) -> None:
    found.check(field in allowed, f"{at}.field", "is not one this test can read")
    if field in ATTRIBUTES:
        found.check(name and "\0" not in name, f"{at}.name", "names an attribute")


def _check_values(found: Violations, at: str, node: Text) -> None:
    found.check(node.operator in TEXT_OPERATORS, f"{at}.operator", "is not known")
    few = 1 <= len(node.values) <= MOST_VALUES
    found.check(few, f"{at}.values", f"1 to {MOST_VALUES} of them")
    fine = all(len(value) <= LONGEST_VALUE and "\0" not in value for value in node.values)
    found.check(fine, f"{at}.values", f"texts of up to {LONGEST_VALUE} characters")
