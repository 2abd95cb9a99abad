"""What dispatches may do at the moment, as workers know it: never older than a second."""

import asyncio
from collections import OrderedDict
from typing import Final

from services.messaging.domain.dispatch import Control
from services.messaging.store.dispatches import DispatchStore

FRESH_SECONDS: Final = 1.0
_KEPT: Final = 1000


class Controls:
    """Reads controls when they are asked for and older than a second."""

    def __init__(self, dispatches: DispatchStore) -> None:
        self._dispatches = dispatches
        self._known: OrderedDict[str, tuple[float, Control]] = OrderedDict()

    async def of(self, dispatch_id: str) -> Control:
        """What a dispatch may do. One that does not exist may send: direct sends have none."""
        now = asyncio.get_running_loop().time()
        read_at, control = self._known.get(dispatch_id, (-1.0, Control.RELEASE))
        if read_at >= 0 and now - read_at < FRESH_SECONDS:
            return control
        found = await self._dispatches.controls([dispatch_id])
        control = found.get(dispatch_id, Control.RELEASE)
        self._known[dispatch_id] = (now, control)
        self._known.move_to_end(dispatch_id)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return control
