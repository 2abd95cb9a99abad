"""The state of one limit: a log of when its last slots were used, at the latest.

A GCRA keeps a window too, but a slot used late or lost is lost to it for good. With the log, slot
i + count comes one window after slot i, wherever slot i really fell: lateness delays only the
slot's own successor. Why no window can overflow: take any `count + 1` submissions within one
window and the one granted last; when it was granted, the others stood in the log at or after the
window's start, so it was put a whole window later.

These functions are the reference model of `services.messaging.store.limit_pipelines`. An entry
waiting for its report is even and unique, so that it names itself; a settled one is odd.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.messaging.domain.limits import (
    SECOND_US,
    Admission,
    Ask,
    Limit,
    Reservation,
    Slot,
)

STRAY_US = 5 * SECOND_US
"""An entry further than this beyond the horizon was left by a clock that has jumped back."""
ADMISSION_STEPS = 100
"""Admissions are counted in this many steps of a window, so their list stays short."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Entries in order of their time, and the newest entry: when it began and its used slots.

    `unit` is what an entry stood for when it was written; 0 in a new bucket.
    """

    log: tuple[int, ...] = ()
    newest: int = 0
    tail: int = 0
    used: int = 0
    unit: int = 0


def reserve(bucket: Bucket, now_us: int, ask: Ask, limit: Limit) -> tuple[Bucket, Reservation]:
    """Grant up to `ask.count` slots; fewer, or none, when they would pass the horizon."""
    bucket = settle(fitted(bucket, now_us, limit), ask.settled)
    room = min(ask.count, limit.unit - bucket.used) if bucket.log else 0
    slots = room_slots(bucket, room, now_us + ask.lead_us, limit)
    bucket = replace(bucket, used=bucket.used + room)
    wanted = ask.count - room
    ats: list[int] = []
    ids: list[int] = []
    for _ in range(-(-wanted // limit.unit)):
        at = next_entry(bucket, now_us, ask if ats else replace(ask, apart_us=0), limit)
        horizon = limit.horizon_us
        if at > now_us + horizon:
            retry = 0 if slots or ats else at - horizon
            return _trimmed(bucket, limit), Reservation(
                now_us, slots + entry_slots(ats, ids, wanted, limit), retry
            )
        used = min(limit.unit, wanted - len(ats) * limit.unit)
        bucket = _grown(bucket, at, used, limit)
        ats.append(at)
        ids.append(bucket.newest)
    slots += entry_slots(ats, ids, wanted, limit)
    return _trimmed(bucket, limit), Reservation(now_us, slots)


def _trimmed(bucket: Bucket, limit: Limit) -> Bucket:
    return replace(bucket, log=bucket.log[-limit.kept :])


def _grown(bucket: Bucket, at: int, used: int, limit: Limit) -> Bucket:
    entry = entry_id(bucket.log[-1] if bucket.log else 0, at, limit)
    return replace(bucket, log=(*bucket.log, entry), newest=entry, tail=at, used=used)


def entry_id(last: int, at: int, limit: Limit) -> int:
    """Return the entry for a slot at `at`: the end of its grace, even, later than any other."""
    entry = max(at + limit.grace_us, last + 2)
    return entry + entry % 2


def next_entry(bucket: Bucket, now_us: int, ask: Ask, limit: Limit) -> int:
    """Return the earliest time for the next entry: a window after its predecessor, spread evenly.

    The step is even when the window stood empty before, and tight when there is something to
    catch up with.
    """
    log = bucket.log
    free = (log[-limit.entries] if len(log) >= limit.entries else 0) + limit.window_us
    earliest = max(now_us + ask.lead_us, free)
    is_idle = free + limit.window_us // 2 < max(now_us, bucket.tail)
    step = limit.step_us if is_idle else limit.tight_us
    return max(earliest, bucket.tail + max(step, ask.apart_us * limit.unit))


def fitted(bucket: Bucket, now_us: int, limit: Limit) -> Bucket:
    """Return the bucket with entries of the limit's unit and none from a clock that was ahead.

    In both cases the whole window counts as used by now, which costs a pause of one window.
    """
    log = bucket.log
    is_foreign = log and bucket.unit != limit.unit
    is_stray = log and max(log[-1], bucket.tail) > now_us + stray_us(limit)
    if is_stray or is_foreign:
        last = now_us if is_stray else max(now_us, log[-1])
        spent = last + 1 - last % 2
        return Bucket((spent,) * limit.entries, 0, min(bucket.tail, last), limit.unit, limit.unit)
    return replace(bucket, unit=limit.unit)


def stray_us(limit: Limit) -> int:
    """Return how far ahead of the clock an entry can be and still be of this clock."""
    return STRAY_US + 2 * limit.window_us


def settle(bucket: Bucket, settled: Sequence[tuple[int, int]]) -> Bucket:
    """Count entries at the time at which they were used, as their worker reports it."""
    times = dict(settled)
    log = tuple(sorted(times[e] | 1 if e in times else e for e in bucket.log))
    return replace(bucket, log=log)


def entry_slots(
    ats: Sequence[int], ids: Sequence[int], count: int, limit: Limit
) -> tuple[Slot, ...]:
    """Return up to `count` slots of new entries: `unit` for each, spread inside the entry."""
    unit = limit.unit
    return tuple(
        Slot(ats[index // unit] + index % unit * limit.spacing_us, ids[index // unit])
        for index in range(min(count, len(ats) * unit))
    )


def room_slots(bucket: Bucket, count: int, earliest_us: int, limit: Limit) -> tuple[Slot, ...]:
    """Return the next `count` slots of the newest entry."""
    return tuple(
        Slot(max(earliest_us, bucket.tail + index * limit.spacing_us), bucket.newest)
        for index in range(bucket.used, bucket.used + count)
    )


def move(
    bucket: Bucket, entries: frozenset[int], to_us: int, limit: Limit
) -> tuple[Bucket, dict[int, int]]:
    """Put late entries to `to_us`; returns the new entry of each that could be moved.

    Safe for entries of the last window only: the successor of an older one may be granted.
    """
    late = sorted(entries & frozenset(bucket.log[-limit.entries :]))
    first = entry_id(bucket.log[-1] if bucket.log else 0, to_us, limit)
    moved = {entry: first + 2 * index for index, entry in enumerate(late)}
    log = tuple(entry for entry in bucket.log if entry not in moved)
    return replace(bucket, log=log + tuple(moved.values())), moved


def release(bucket: Bucket, entries: frozenset[int]) -> Bucket:
    """Give back entries none of whose slots was used."""
    return replace(bucket, log=tuple(entry for entry in bucket.log if entry not in entries))


def admit(
    admitted: tuple[tuple[int, int], ...], now_us: int, count: int, limit: Limit
) -> tuple[tuple[tuple[int, int], ...], Admission]:
    """Admit as many of `count` direct parts as the window has not admitted yet (spec 12.0 X1).

    `admitted` holds (step, parts). Admission decides who is refused with THROTTLED; the admitted
    parts then take urgent slots of the same bucket, so the window holds whatever is queued.
    """
    step = admission_step_us(limit)
    alive = tuple(pair for pair in admitted if pair[0] + step + limit.window_us > now_us)
    granted = max(0, min(count, limit.count - sum(parts for _, parts in alive)))
    at = now_us - now_us % step
    wait = alive[0][0] + step + limit.window_us - now_us if granted < count and alive else 0
    grown = (*alive, (at, granted)) if granted else alive
    if granted and alive and alive[-1][0] == at:
        grown = (*alive[:-1], (at, alive[-1][1] + granted))
    return grown, Admission(granted, at, wait)


def admission_step_us(limit: Limit) -> int:
    """Return the length of the steps in which admissions are counted."""
    return limit.window_us // ADMISSION_STEPS
