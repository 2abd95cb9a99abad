"""Taking attributes off: not collected from now on, and swept from what is stored.

A runner that dies leaves its sweep at the last page; whoever takes it over repeats that page,
which changes nothing.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Final

from libs.errors import Violations
from libs.ids import new_id
from services.endpoints.domain.removal import KINDS, Removed, check_globs, stripped
from services.endpoints.store.endpoints import EndpointStore
from services.endpoints.store.names import NameStore
from services.endpoints.store.removals import LeaseLost, RemovalStore, Sweep
from services.endpoints.usecases.upsert import Upserts

PAGE: Final = 500


class Removal:
    """Removes attributes of applications."""

    def __init__(
        self, removals: RemovalStore, store: EndpointStore, names: NameStore, upserts: Upserts
    ) -> None:
        self._removals = removals
        self._store = store
        self._names = names
        self._upserts = upserts
        self._runner = new_id()

    async def remove(self, application_id: str, kind: str, globs: Sequence[str]) -> Removed:
        """Stop collecting, and have what is stored swept. Raises InvalidFields, QuotaExceeded."""
        found = Violations()
        found.check(kind in KINDS, "attribute_type", "is needed")
        check_globs(found, globs)
        found.raise_if_any()
        return await self._removals.add(application_id, kind, globs)

    async def run_one(self, stopping: asyncio.Event) -> bool:
        """Sweep an application to its end or until told to stop; False when none waits."""
        sweep = await self._removals.claim(self._runner)
        if sweep is None:
            return False
        with suppress(LeaseLost):
            await self._run(sweep, stopping)
        return True

    async def _run(self, sweep: Sweep, stopping: asyncio.Event) -> None:
        strip = partial(stripped, removed=sweep.removed)
        while not stopping.is_set():
            page = await self._store.ids_after(sweep.application_id, sweep.cursor, PAGE)
            if not page:
                await self._names.forget(sweep.application_id, sweep.removed.covers)
                await self._removals.finish(sweep, self._runner)
                return
            await self._upserts.amend(page, strip)
            sweep = replace(sweep, cursor=page[-1])
            await self._removals.save(sweep, self._runner)
