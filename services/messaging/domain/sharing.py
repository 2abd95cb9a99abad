"""Fair shares of a lane: whose batch is next, by weight, and how deep the queue may get.

Stride scheduling (Waldspurger and Weihl, 1995): a pass is what an application has had, divided by
its weight, and whoever has the lowest pass is next. A pass is charged by messages, so that an
application of small batches loses nothing. Passes are whole numbers: nothing drifts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import lcm
from typing import Final

MOST_WEIGHT: Final = 20
LEAST_DEPTH: Final = 10
"""Batches a slow lane's queue may hold; every one delays whoever comes later."""
MOST_DEPTH: Final = 256
_UNIT: Final = lcm(*range(1, MOST_WEIGHT + 1))
"""The charge of a message at weight 1; every weight divides it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch that waits for its turn, and how many messages it holds."""

    batch_id: str
    size: int


@dataclass(frozen=True, slots=True)
class Shared:
    """Ids of the batches whose turn it is, in order, and the passes from here on."""

    batch_ids: Sequence[str]
    passes: Mapping[str, int]


def share(
    passes: Mapping[str, int],
    waiting: Mapping[str, Sequence[Waiting]],
    weights: Mapping[str, int],
    slots: int,
) -> Shared:
    """Choose up to `slots` batches of the applications that have some, oldest first of each.

    While they all have some, each gets messages in proportion to its weight (1 where none is
    given), give or take one batch. Passes are told from the point that everybody has reached: an
    application without a pass begins there, so that idling earns nothing, and one that left ahead
    of it comes back ahead.
    """
    left = {app_id: list(reversed(batches)) for app_id, batches in waiting.items() if batches}
    ahead = [(passes.get(app_id, 0), app_id) for app_id in left]
    heapify(ahead)
    chosen: list[str] = []
    reached, kept = 0, dict(passes)
    while ahead and len(chosen) < slots:
        reached, app_id = heappop(ahead)
        batch = left[app_id].pop()
        chosen.append(batch.batch_id)
        kept[app_id] = reached + max(batch.size, 1) * _UNIT // weights.get(app_id, 1)
        if left[app_id]:
            heappush(ahead, (kept[app_id], app_id))
    return Shared(chosen, {a: one - reached for a, one in kept.items() if one > reached})


def next_depth(most: int, waiting: int) -> int:
    """How many batches a lane's queue may hold from here on, of which `waiting` are still there.

    Deep enough for what its workers take until it is looked at again, and no deeper: twice as deep
    when they have nearly emptied it, a little less when they have hardly touched it.
    """
    if waiting < most // 4:
        return min(most * 2, MOST_DEPTH)
    if waiting > most * 3 // 4:
        return max(most - most // 8, LEAST_DEPTH)
    return most
