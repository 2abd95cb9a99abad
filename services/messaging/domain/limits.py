"""Send limits: how many message parts may go out in a window, and which limits can bind.

All times are integers: microseconds since the epoch of the database server's clock. What is
counted are message parts (spec 6.4): a message of three parts takes three slots.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

SECOND_US = 1_000_000
HEADROOM = 0.001
"""The window is kept this much longer than promised: times are whole microseconds of two clocks."""
GRACE = 0.05
"""Part of a window by which a slot may be used late; it counts at the end of that time until its
true time is reported."""
RESOLUTION = 200
"""Entries of a log for one window; above this many slots an entry stands for several."""
LEASE_SECONDS = 0.1
"""Time worth of slots that one reservation takes: what a killed worker can lose."""
HORIZON = 0.8
"""Part of the window that reservations may reach ahead. Less than the window, so that a slot is
promised only when the report of the one whose place it takes had time to come: a part may reach the
provider after its grace, when the way there is slow."""
CROWDED = 0.6
"""Part of the window reserved ahead beyond which leases are halved, so that reports of true times
still come before the slots that depend on them are granted."""


class LimiterUnavailable(Exception):
    """The limits cannot be read or advanced, so nothing may be sent."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` parts in any `window_seconds`, over all workers that name the same key."""

    key: str
    count: int
    window_seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.count < 1 or self.window_seconds <= 0:
            raise ValueError(f"limit {self.key}: count and window must be positive")

    @property
    def rate_per_second(self) -> float:
        return self.count / self.window_seconds

    @property
    def unit(self) -> int:
        """Slots that one log entry stands for; a window can be over by less than this."""
        return math.ceil(self.count / RESOLUTION)

    @property
    def entries(self) -> int:
        """Log entries of one window."""
        return self.count // self.unit

    @property
    def kept(self) -> int:
        """Entries kept: a window, and what reservations given back may uncover again."""
        return self.entries + self.entries // 2 + 1

    @property
    def window_us(self) -> int:
        """Least time between a slot and the one `entries * unit` later."""
        share = self.entries * self.unit / self.count
        return math.ceil(self.window_seconds * share * (1 + HEADROOM) * SECOND_US)

    @property
    def step_us(self) -> int:
        """Even distance of two log entries."""
        return math.ceil(self.window_us / self.entries)

    @property
    def tight_us(self) -> int:
        """Least distance of two log entries while there is something to catch up with."""
        return self.step_us // 2

    @property
    def spacing_us(self) -> int:
        """Even distance of two slots."""
        return self.step_us // self.unit

    @property
    def grace_us(self) -> int:
        """How long after its time a slot may be used."""
        return int(self.window_seconds * GRACE * SECOND_US)

    @property
    def lease(self) -> int:
        """Slots worth taking in one reservation, in whole entries."""
        wanted = min(math.ceil(self.rate_per_second * LEASE_SECONDS), self.count // 4)
        return max(1, math.ceil(wanted / self.unit)) * self.unit

    @property
    def horizon_us(self) -> int:
        """How far ahead of the server's clock slots are given out."""
        return int(self.window_us * HORIZON)


def limit_per_second(key: str, rate: float) -> Limit:
    """Return the limit for `rate` parts a second; 0.2 becomes one in five seconds."""
    count = max(1, math.floor(rate))
    return Limit(key, count, count / rate)


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to submit one part from `at_us` on, counted in the log by the entry `entry_us`."""

    at_us: int
    entry_us: int


@dataclass(frozen=True, slots=True)
class Reservation:
    """Slots granted at server time `now_us`; when none, `retry_at_us` says when to ask again."""

    now_us: int
    slots: tuple[Slot, ...]
    retry_at_us: int = 0

    def is_crowded(self, limit: Limit) -> bool:
        """Say whether others hold so many slots that leases should be short."""
        last = self.slots[-1].at_us if self.slots else self.retry_at_us
        return last - self.now_us > limit.window_us * CROWDED


@dataclass(frozen=True, slots=True)
class Ask:
    """What a worker asks for: `count` slots from `lead_us` from now on, `apart_us` apart.

    `settled` reports used entries with the latest time at which they can have been used.
    """

    count: int
    lead_us: int = 0
    apart_us: int = 0
    settled: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Admission:
    """How many direct parts were admitted, in which step, and how long the rest should wait."""

    granted: int
    step_at_us: int
    retry_after_us: int


def whole_entries(slots: Sequence[Slot], limit: Limit) -> frozenset[int]:
    """Return the entries of which all slots are in `slots`: those that may be given back."""
    counts: dict[int, int] = {}
    for slot in slots:
        counts[slot.entry_us] = counts.get(slot.entry_us, 0) + 1
    return frozenset(entry for entry, count in counts.items() if count == limit.unit)


def governing(limits: Sequence[Limit]) -> tuple[Limit, ...]:
    """Return the limits that can bind, given from the narrowest scope to the widest.

    Every send of a run passes its number, every send of a number its account: a limit no lower
    than one of a wider scope is implied by that one.
    """
    return tuple(
        limit
        for index, limit in enumerate(limits)
        if all(limit.rate_per_second < wider.rate_per_second for wider in limits[index + 1 :])
    )


def finish_time(backlog: int, limits: Sequence[Limit], now: datetime) -> datetime:
    """Return when the last of `backlog` parts goes out if nothing else uses the limits."""
    spacing_us = max(
        (limit.window_us / (limit.entries * limit.unit) for limit in limits), default=0.0
    )
    return now + timedelta(microseconds=max(backlog - 1, 0) * spacing_us)
