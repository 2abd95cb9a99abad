"""Who was blocked lately: one look for all windows of a process that come close together."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from services.messaging.store.suppressions import Blocked, SuppressionStore

# A write shows in a majority read some time after its own time (store.suppressions).
LOOK_BACK_SECONDS: Final = 2.0
# Windows this close together share a look: an opt-out stops every window that begins later.
LOOK_AGE_SECONDS: Final = 0.005
# Longer than any batch waits between two windows; nearly always there is nothing to keep.
_KEPT: Final = 10_000
NOBODY: Final = Blocked(frozenset(), {})


@dataclass(slots=True)
class _View:
    """What is known of one application's channel: when it was looked at, and what was found."""

    looked_at: float
    found: deque[tuple[float, Blocked]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Lookout:
    """Looks for new opt-outs and suppressions as often as windows are claimed."""

    def __init__(self, suppressions: SuppressionStore) -> None:
        self._suppressions = suppressions
        self._views: dict[tuple[str, str], _View] = {}

    async def since(self, app_id: str, channel_type: str, moment: float) -> Blocked:
        """Who was blocked after `moment` of the loop's clock, as of a few milliseconds ago."""
        loop = asyncio.get_running_loop()
        view = self._views.setdefault((app_id, channel_type), _View(moment))
        if loop.time() - view.looked_at >= LOOK_AGE_SECONDS:
            asked_at = loop.time()
            async with view.looking:
                # Whoever waited for a look that began after it asked needs none of its own.
                if view.looked_at < asked_at:
                    await self._look(app_id, channel_type, view)
        return _merged([blocked for seen, blocked in view.found if seen >= moment])

    async def _look(self, app_id: str, channel_type: str, view: _View) -> None:
        now = asyncio.get_running_loop().time()
        seconds = now - view.looked_at + LOOK_BACK_SECONDS
        blocked = await self._suppressions.blocked_lately(app_id, channel_type, seconds)
        view.looked_at = now
        if blocked.endpoint_ids or blocked.addresses:
            view.found.append((now, blocked))


def _merged(found: list[Blocked]) -> Blocked:
    if not found:
        return NOBODY
    addresses: dict[str, str] = {}
    for one in found:
        addresses |= one.addresses
    return Blocked(frozenset().union(*(one.endpoint_ids for one in found)), addresses)
