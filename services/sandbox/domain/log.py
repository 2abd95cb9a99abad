"""The log of everything the sandbox took: bounded, newest first, counted per recipient."""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from sys import intern
from typing import Final, NamedTuple

# What a record weighs beside its content: slots, strings, and its place in the index.
OVERHEAD_BYTES: Final = 400


@dataclass(slots=True)
class Record:
    """One message to one recipient; `content` is the raw mail, or the text as UTF-8.

    `outcome` is the kind of the behaviour that decided, `state` what an SMS receipt says.
    """

    channel: str
    to: str
    sender: str
    message_id: str
    received_ms: int
    content: bytes
    outcome: str = "deliver"
    state: str = ""
    parts: int = 1
    encoding: str = ""
    carrier: str = ""
    part_ids: tuple[str, ...] = ()
    number: int = 0
    headers: tuple[tuple[str, str], ...] = ()


class Tally(NamedTuple):
    """How many messages a recipient got, and the number of the last."""

    messages: int
    last: int


class MessageLog:
    """Keeps the newest messages within two bounds, and the counts of all of them.

    Numbers start at 1 and never repeat, not even after `clear`.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._ring: list[Record | None] = []
        self._first = self._next = 1
        self._bytes = 0
        self._seen: dict[str, dict[str, Tally]] = {}

    def __len__(self) -> int:
        return self._next - self._first

    def append(self, record: Record) -> int:
        """Keep a record under the next number, dropping the oldest ones above the bounds."""
        record.number = number = self._next
        slot = number % self._max_messages
        self._next += 1
        if len(self) > self._max_messages:
            self._drop_oldest()
        self._store(slot, record)
        self._bytes += _weight(record)
        while self._bytes > self._max_bytes and len(self) > 1:
            self._drop_oldest()
        of_channel = self._seen.setdefault(record.channel, {})
        before = of_channel.get(record.to)
        of_channel[record.to] = Tally(before.messages + 1 if before else 1, number)
        return number

    def get(self, number: int) -> Record | None:
        """Return one message, unless it is unknown or was dropped."""
        if not self._first <= number < self._next:
            return None
        return self._ring[number % self._max_messages]

    def newest(self, channel: str = "", to: str = "", limit: int = 100) -> list[Record]:
        """Return the latest matching messages, newest first; `to` is an address or a glob."""
        found: list[Record] = []
        for record in self._from_newest(channel, to):
            if len(found) >= limit:
                break
            if _is_wanted(record, channel, to):
                found.append(record)
        return found

    def counts(self, channel: str, prefix: str = "") -> dict[str, int]:
        """Return how many messages each recipient got since the last `clear`, dropped or not."""
        seen = self._seen.get(channel, {})
        return {to: of.messages for to, of in seen.items() if to.startswith(prefix)}

    def clear(self) -> None:
        """Forget every message and every count."""
        self._ring.clear()
        self._seen.clear()
        self._first = self._next
        self._bytes = 0

    def _from_newest(self, channel: str, to: str) -> Iterator[Record]:
        start = self._next - 1
        if to and channel and not _is_glob(to):
            # The index knows where the recipient's last message is; walk back from there.
            seen = self._seen.get(channel, {}).get(to)
            start = seen.last if seen else 0
        yield from filter(None, map(self.get, range(start, self._first - 1, -1)))

    def _store(self, slot: int, record: Record) -> None:
        self._ring.extend([None] * (slot + 1 - len(self._ring)))
        self._ring[slot] = record

    def _drop_oldest(self) -> None:
        slot = self._first % self._max_messages
        dropped, self._ring[slot] = self._ring[slot], None
        self._bytes -= _weight(dropped) if dropped else 0
        self._first += 1


@dataclass(slots=True)
class Arrivals:
    """When each part or mail was read: for checks of a sender's rate.

    `wall_ms` is the time of day, `steady_us` a monotonic clock that no adjustment moves.
    Beyond `bound` entries the older half is forgotten.
    """

    bound: int = 4_000_000
    wall_ms: "array[int]" = field(default_factory=lambda: array("q"))
    steady_us: "array[int]" = field(default_factory=lambda: array("q"))
    accepted: "array[int]" = field(default_factory=lambda: array("b"))
    carriers: list[str] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    totals: Counter[str] = field(default_factory=Counter)

    def add(self, wall_ns: int, steady_ns: int, sender: str, carrier: str, verdict: str) -> None:
        """Note one arrival; `verdict` is `accepted` or the name of the refusal."""
        self.wall_ms.append(wall_ns // 1_000_000)
        self.steady_us.append(steady_ns // 1000)
        self.accepted.append(verdict == "accepted")
        self.carriers.append(intern(carrier))
        self.senders.append(intern(sender))
        self.totals[verdict] += 1
        if len(self.wall_ms) > self.bound:
            self._halve()

    def times(
        self, *, steady: bool, sender: str = "", carrier: str = "", accepted: bool = False
    ) -> list[int]:
        """Return arrival times in order of arrival, of the given sender and carrier if named."""
        times = self.steady_us if steady else self.wall_ms
        if not (sender or carrier or accepted):
            return times.tolist()
        return [
            time
            for time, of, by, taken in zip(
                times, self.carriers, self.senders, self.accepted, strict=True
            )
            if (not sender or by == sender)
            and (not carrier or of == carrier)
            and (taken or not accepted)
        ]

    def clear(self) -> None:
        """Forget all arrivals."""
        for column in self._columns():
            del column[:]
        self.totals.clear()

    def _halve(self) -> None:
        for column in self._columns():
            del column[: self.bound // 2]

    def _columns(self) -> "tuple[array[int] | list[str], ...]":
        return (self.wall_ms, self.steady_us, self.accepted, self.carriers, self.senders)


def _weight(record: Record) -> int:
    return len(record.content) + OVERHEAD_BYTES


def _is_glob(to: str) -> bool:
    return any(mark in to for mark in "*?[")


def _is_wanted(record: Record, channel: str, to: str) -> bool:
    if channel and record.channel != channel:
        return False
    return not to or record.to == to or (_is_glob(to) and fnmatchcase(record.to, to))
