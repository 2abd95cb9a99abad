"""Putting the parts of concatenated messages together again."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, NamedTuple

MAX_UNFINISHED: Final = 100_000


class PartKey(NamedTuple):
    """What the parts of one message share (3GPP TS 23.040 9.2.3.24.1)."""

    sender: str
    to: str
    reference: int
    total: int


class Part(NamedTuple):
    """One part: its place from 1, its user data, and the id it was given."""

    number: int
    data: bytes
    message_id: str


@dataclass(slots=True)
class Assembly:
    """Unfinished messages, the oldest forgotten first when there are too many."""

    _unfinished: OrderedDict[PartKey, dict[int, Part]] = field(default_factory=OrderedDict)

    def add(self, key: PartKey, part: Part) -> list[Part] | None:
        """Return all parts in order once the last is there; a repeated place is replaced."""
        if key.total == 1:
            return [part]
        parts = self._unfinished.setdefault(key, {})
        parts[part.number] = part
        if len(parts) == key.total:
            del self._unfinished[key]
            return [parts[number] for number in sorted(parts)]
        if len(self._unfinished) > MAX_UNFINISHED:
            self._unfinished.popitem(last=False)
        return None

    def __len__(self) -> int:
        return len(self._unfinished)
