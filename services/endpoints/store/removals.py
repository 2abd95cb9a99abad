"""What each application does not collect any more, and how far the sweep of what is stored is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo import ReturnDocument

from libs.errors import QuotaExceeded
from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from services.endpoints.domain.removal import MOST_IN_ALL, Removed

INDEXES: Final[Indexes] = {
    "removals": [
        Index("unfinished", (("lease_until", 1),), partial={"lease_until": {"$exists": True}}),
    ],
}
KNOWN_SECONDS: Final = 2.0
"""How long a process goes on collecting what another was told to remove."""
SWEEP_AFTER_SECONDS: Final = 4
"""A sweep begins when every process knows, so that nothing is written behind its back."""


class LeaseLost(RuntimeError):
    """Another runner has the sweep by now, or there is more to remove."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Endpoints behind `cursor` (a document id) may still have what is removed."""

    application_id: str
    removed: Removed
    cursor: str
    revision: int


class RemovalStore:
    """One document an application that has removed anything."""

    def __init__(self, database: Database, lease_seconds: int) -> None:
        self._removals = database["removals"]
        self._lease_seconds = lease_seconds
        self._known: dict[str, tuple[float, Removed]] = {}

    async def removed(self, application_id: str) -> Removed:
        """What is not collected; up to two seconds old."""
        until, known = self._known.get(application_id, (0.0, Removed()))
        if until < time.monotonic():
            found = await self._removals.find_one({"_id": application_id}, {"globs": 1})
            known = _removed(found)
            self._known[application_id] = (time.monotonic() + KNOWN_SECONDS, known)
        return known

    async def add(self, application_id: str, kind: str, globs: Sequence[str]) -> Removed:
        """Stop collecting; the sweep begins anew. Raises QuotaExceeded."""
        found = await self._removals.find_one({"_id": application_id}, {"globs": 1})
        known = _removed(found).globs
        if sum(map(len, known.values())) + len(globs) > MOST_IN_ALL:
            raise QuotaExceeded("names and globs of removed attributes", MOST_IN_ALL)
        document = await self._removals.find_one_and_update(
            {"_id": application_id},
            {
                "$addToSet": {f"globs.{kind}": {"$each": list(globs)}},
                "$set": {"cursor": "", "runner": None},
                "$inc": {"revision": 1},
                "$currentDate": {"lease_until": True},
            },
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        await self._removals.update_one({"_id": application_id}, [_until(SWEEP_AFTER_SECONDS)])
        self._known.pop(application_id, None)
        return _removed(document)

    async def claim(self, runner: str) -> Sweep | None:
        """Take a sweep that is due and nobody holds; None when there is none."""
        found: Document | None = await self._removals.find_one_and_update(
            {"lease_until": {"$exists": True}, "$expr": {"$lt": ["$lease_until", "$$NOW"]}},
            [{"$set": {"runner": runner}}, _until(self._lease_seconds)],
            return_document=ReturnDocument.AFTER,
        )
        if found is None:
            return None
        return Sweep(found["_id"], _removed(found), found["cursor"], found["revision"])

    async def save(self, sweep: Sweep, runner: str) -> None:
        """Keep the cursor, and the lease on. Raises LeaseLost."""
        change = [{"$set": {"cursor": sweep.cursor}}, _until(self._lease_seconds)]
        await self._change(sweep, runner, change)

    async def finish(self, sweep: Sweep, runner: str) -> None:
        """The sweep is done. Raises LeaseLost."""
        gone = {"lease_until": "", "runner": "", "cursor": ""}
        await self._change(sweep, runner, {"$unset": gone})

    async def delete_application(self, application_id: str) -> None:
        """Forget an application."""
        self._known.pop(application_id, None)
        await self._removals.delete_one({"_id": application_id})

    async def _change(self, sweep: Sweep, runner: str, change: Any) -> None:  # noqa: ANN401 - a document or a pipeline
        key = {"_id": sweep.application_id, "runner": runner, "revision": sweep.revision}
        if not (await self._removals.update_one(key, change)).matched_count:
            raise LeaseLost(sweep.application_id)


def _until(seconds: int) -> Document:
    end = {"$dateAdd": {"startDate": "$$NOW", "unit": "second", "amount": seconds}}
    return {"$set": {"lease_until": end}}


def _removed(document: Document | None) -> Removed:
    globs = (document or {}).get("globs", {})
    return Removed({kind: tuple(sorted(values)) for kind, values in globs.items()})
