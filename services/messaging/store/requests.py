"""Answers to direct sends by the caller's request id, kept for 24 hours."""

from datetime import datetime
from typing import Final

from pymongo.errors import DuplicateKeyError

from libs.mongo.client import Database
from libs.mongo.indexes import Index, Indexes

KEPT_SECONDS: Final = 24 * 3600
INDEXES: Final[Indexes] = {
    "requests": (
        Index("requests_deleted", (("create_time", 1),), expire_after_seconds=KEPT_SECONDS),
    )
}


class RequestStore:
    """Serialized answers."""

    def __init__(self, database: Database) -> None:
        self._requests = database["requests"]

    async def answer(self, app_id: str, request_id: str) -> bytes | None:
        """The answer that was given to this request before."""
        found = await self._requests.find_one({"_id": f"{app_id}/{request_id}"}, {"answer": 1})
        return None if found is None else bytes(found["answer"])

    async def keep(self, app_id: str, request_id: str, answer: bytes, now: datetime) -> bytes:
        """Keep the answer; returns the one kept, which is another when calls ran side by side."""
        key = f"{app_id}/{request_id}"
        try:
            await self._requests.insert_one(
                {"_id": key, "app_id": app_id, "answer": answer, "create_time": now}
            )
        except DuplicateKeyError:
            return await self.answer(app_id, request_id) or answer
        return answer
