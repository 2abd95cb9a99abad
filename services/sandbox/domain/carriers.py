"""Carriers: chosen by number prefix, each with its throughput and its state."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from libs.errors import Violations
from services.sandbox.domain.schema import (
    Rule,
    Rules,
    as_list,
    as_object,
    checked,
)

NS_PER_SECOND: Final = 1_000_000_000
# Zero means no limit. Windows slide, as 10DLC throughput does (spec section 7.10).
WINDOWS: Final = {"per_second": 1, "per_minute": 60, "per_day": 86_400}
_LIMIT: Final = Rule(0, 0, 10_000_000)
RULES: Final[Rules] = {
    "name": Rule(""),
    "per_second": _LIMIT,
    "per_minute": _LIMIT,
    "per_day": _LIMIT,
    "over": Rule("reject", choices=("reject", "receipt")),
    "state": Rule("up", choices=("up", "drop", "refuse")),
    "delay_ms": Rule(0),
}


class Window:
    """Exact count of a sliding window: the times of the last `limit` passes."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._passes: deque[int] = deque(maxlen=limit)
        self._limit = limit
        self._span_ns = int(seconds * NS_PER_SECOND)

    def has_room(self, now_ns: int) -> bool:
        """Tell whether one more fits at `now_ns` of a monotonic clock."""
        passes = self._passes
        return len(passes) < self._limit or now_ns - passes[0] >= self._span_ns

    def add(self, now_ns: int) -> None:
        """Count one that was let through."""
        self._passes.append(now_ns)


@dataclass(frozen=True, slots=True)
class Carrier:
    """One mobile network; `over` says how it treats parts above its throughput.

    `reject` answers ESME_RTHROTTLED; `receipt` takes the part and reports REJECTD later.
    State `drop` cuts the connection of whoever submits, `refuse` answers ESME_RSYSERR.
    """

    name: str
    prefixes: tuple[str, ...] = ("",)
    per_second: int = 0
    per_minute: int = 0
    per_day: int = 0
    over: str = "reject"
    state: str = "up"
    delay_ms: int = 0
    windows: tuple[Window, ...] = field(default=(), compare=False, repr=False)

    def admits(self, now_ns: int) -> bool:
        """Tell whether a part is within every limit, and count it if so."""
        if not all(window.has_room(now_ns) for window in self.windows):
            return False
        for window in self.windows:
            window.add(now_ns)
        return True


DEFAULT: Final = Carrier("default")


def carrier_of(carriers: Sequence[Carrier], number: str) -> Carrier:
    """Return the carrier with the longest matching prefix, the nameless default without one."""
    digits = number.lstrip("+")
    best, length = DEFAULT, -1
    for carrier in carriers:
        for prefix in carrier.prefixes:
            if len(prefix) > length and digits.startswith(prefix):
                best, length = carrier, len(prefix)
    return best


def parse_carriers(document: object) -> list[Carrier]:
    """Read `[{name, prefixes, per_second, ...}]`; InvalidFields names every bad field."""
    found = Violations()
    rows = as_list(document, "carriers", found)
    carriers = [_parse_carrier(f"[{index}]", row, found) for index, row in enumerate(rows)]
    names = [carrier.name for carrier in carriers]
    for index, name in enumerate(names):
        if name in names[:index]:
            found.add(f"[{index}].name", "is used twice")
    found.raise_if_any()
    return carriers


def _parse_carrier(path: str, row: object, found: Violations) -> Carrier:
    document = as_object(row, path, found)
    if not document.get("name"):
        found.add(f"{path}.name", "is required")
    prefixes = _prefixes(document.get("prefixes", [""]), f"{path}.prefixes", found)
    rest = {name: value for name, value in document.items() if name != "prefixes"}
    before = len(found.found)
    values = checked(rest, RULES, path, found)
    if len(found.found) > before:
        return Carrier(str(values["name"]))
    windows = tuple(
        Window(values[name], seconds) for name, seconds in WINDOWS.items() if values[name]
    )
    return Carrier(prefixes=prefixes, windows=windows, **values)


def _prefixes(value: object, path: str, found: Violations) -> tuple[str, ...]:
    prefixes = as_list(value, path, found)
    for index, prefix in enumerate(prefixes):
        if not isinstance(prefix, str) or not (prefix.lstrip("+") + "0").isdigit():
            found.add(f"{path}[{index}]", "must be the digits a number starts with")
            return ()
    return tuple(prefix.lstrip("+") for prefix in prefixes)
