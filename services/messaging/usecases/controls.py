"""What may be sent at the moment, as workers know it: never older than a second."""

import asyncio
from collections import OrderedDict
from typing import Final, TypeVar

from services.messaging.domain.dispatch import Control
from services.messaging.domain.holds import Hold, is_held
from services.messaging.domain.work import Work
from services.messaging.store.dispatches import DispatchStore
from services.messaging.store.holds import HoldStore

T = TypeVar("T")
FRESH_SECONDS: Final = 1.0
_KEPT: Final = 1000


class Controls:
    """Reads controls and holds when they are asked for and older than a second."""

    def __init__(self, dispatches: DispatchStore, holds: HoldStore) -> None:
        self._dispatches = dispatches
        self._holds = holds
        self._held: OrderedDict[str, tuple[float, list[Hold]]] = OrderedDict()
        self._known: OrderedDict[str, tuple[float, Control]] = OrderedDict()

    async def of(self, work: Work) -> Control:
        """What a batch may do: as its dispatch, unless an operator holds what it belongs to."""
        control = await self._of_dispatch(work.dispatch_id)
        if control is not Control.RELEASE:
            return control
        origin = work.origin
        holds = await self._holds_of(origin.app_id)
        return Control.HOLD if is_held(holds, work.channel_type, origin.campaign_id) else control

    async def _holds_of(self, app_id: str) -> list[Hold]:
        now = asyncio.get_running_loop().time()
        read_at, holds = self._held.get(app_id, (-1.0, []))
        if read_at < 0 or now - read_at >= FRESH_SECONDS:
            holds = await self._holds.of(app_id)
            _keep(self._held, app_id, (now, holds))
        return holds

    async def _of_dispatch(self, dispatch_id: str) -> Control:
        """One that does not exist may send: direct sends have none."""
        now = asyncio.get_running_loop().time()
        read_at, control = self._known.get(dispatch_id, (-1.0, Control.RELEASE))
        if read_at >= 0 and now - read_at < FRESH_SECONDS:
            return control
        found = await self._dispatches.controls([dispatch_id])
        control = found.get(dispatch_id, Control.RELEASE)
        _keep(self._known, dispatch_id, (now, control))
        return control


def _keep(known: OrderedDict[str, T], key: str, value: T) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > _KEPT:
        known.popitem(last=False)
