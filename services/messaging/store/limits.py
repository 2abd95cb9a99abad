"""The limits in MongoDB: one document each, advanced by the server's clock in one atomic update.

Document: `_id` the limit's key; `log`, `newest`, `tail`, `used`, `unit` the bucket of
`services.messaging.domain.buckets`; `direct` admissions {at, n}; `reply` what the last update
answered; `touched` when.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import IndexModel, ReturnDocument, WriteConcern
from pymongo.errors import PyMongoError

from services.messaging.domain.buckets import Bucket, entry_slots, room_slots
from services.messaging.domain.limits import (
    Admission,
    Ask,
    Limit,
    LimiterUnavailable,
    Reservation,
)
from services.messaging.store.limit_pipelines import (
    NOW,
    Document,
    admit_pipeline,
    move_pipeline,
    release_pipeline,
    reserve_pipeline,
    settle_pipeline,
)

INDEXES = {
    # A bucket untouched for longer than its window says the same as none; days are the longest.
    "limits": [IndexModel("touched", name="limits_touched", expireAfterSeconds=3 * 86_400)],
}


class LimitStore:
    """The buckets of all limits.

    Every method is one database operation and raises LimiterUnavailable when it fails.
    """

    def __init__(self, database: AsyncIOMotorDatabase[Document]) -> None:
        # A reservation lost in a failover would be granted twice: majority only.
        self._limits = database.get_collection(
            "limits", write_concern=WriteConcern(w="majority", wtimeout=5_000)
        )

    async def reserve(self, limit: Limit, ask: Ask) -> Reservation:
        """Take up to `ask.count` slots and report used ones; see `domain.buckets.reserve`."""
        reply = await self._advance(limit.key, reserve_pipeline(limit, ask), upsert=True)
        now, room, ats, ids = (reply[name] for name in ("now", "room", "ats", "ids"))
        before = Bucket((), reply["newest"], reply["tail"], reply["used"], limit.unit)
        slots = room_slots(before, room, now + ask.lead_us, limit)
        slots += entry_slots(ats, ids, ask.count - room, limit)
        return Reservation(now, slots, 0 if slots else reply["retry"])

    async def move(
        self, limit: Limit, entries: Collection[int], not_before_us: int, lead_us: int
    ) -> tuple[int, int, dict[int, int]]:
        """Put late entries to the later of `not_before_us` and `lead_us` from now.

        Returns server time, the new time, and the new entry of each that was moved; the others
        must not be used.
        """
        pipeline = move_pipeline(limit, entries, not_before_us, lead_us)
        reply = await self._advance(limit.key, pipeline, upsert=False)
        first = reply["first"]
        moved = {entry: first + 2 * index for index, entry in enumerate(reply["moved"])}
        return reply["now"], reply["to"], moved

    async def release(self, limit: Limit, entries: Collection[int]) -> None:
        """Give back entries of which no slot was used."""
        with _unavailable():
            await self._limits.update_one({"_id": limit.key}, release_pipeline(entries))

    async def settle(self, limit: Limit, settled: Collection[tuple[int, int]]) -> None:
        """Report used entries with the latest time at which they can have been used."""
        with _unavailable():
            await self._limits.update_one({"_id": limit.key}, settle_pipeline(settled))

    async def admit(self, limit: Limit, count: int) -> Admission:
        """Admit direct parts, as many as the window allows; see `domain.buckets.admit`."""
        reply = await self._advance(limit.key, admit_pipeline(limit, count), upsert=True)
        return Admission(reply["granted"], reply["at"], reply["wait"])

    async def withdraw(self, limit: Limit, step_at_us: int, count: int) -> None:
        """Take back an admission of `count` parts that another limit refused."""
        where = {"_id": limit.key, "direct.at": step_at_us}
        with _unavailable():
            await self._limits.update_one(where, {"$inc": {"direct.$.n": -count}})

    async def server_now(self, limit: Limit) -> int | None:
        """Read the server's clock as the updates see it; None before the first reservation."""
        with _unavailable():
            found = await self._limits.find_one({"_id": limit.key}, {"now": NOW})
        return None if found is None else int(found["now"])

    async def _advance(self, key: str, pipeline: list[Document], *, upsert: bool) -> Document:
        with _unavailable():
            found = await self._limits.find_one_and_update(
                {"_id": key},
                pipeline,
                projection={"_id": 0, "reply": 1},
                upsert=upsert,
                return_document=ReturnDocument.AFTER,
            )
        # A bucket that expired meanwhile has nothing that could be moved.
        return found["reply"] if found else {"now": 0, "to": 0, "first": 0, "moved": []}


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise LimiterUnavailable(type(error).__name__) from error
