"""One-time passwords that may still be answered, one a destination and reference."""

from datetime import datetime
from typing import Final

from pymongo import ReturnDocument

from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from services.messaging.domain.otp import KeptOtp

INDEXES: Final[Indexes] = {
    "otps": (
        Index("otps_deleted", (("expire_time", 1),), expire_after_seconds=0),
        Index("otps_of_application", (("app_id", 1),)),
    )
}


class OtpStore:
    """Codes as they are kept. What is dead goes by itself; before that nobody gets it either."""

    def __init__(self, database: Database) -> None:
        self._otps = database["otps"]

    async def put(self, otp: KeptOtp) -> None:
        """Keep a code in the place of the one before."""
        await self._otps.replace_one({"_id": otp.key}, _document(otp), upsert=True)

    async def attempt(self, key: str, now: datetime) -> KeptOtp | None:
        """Take one attempt of those that are left; None when there is no code to answer."""
        found = await self._otps.find_one_and_update(
            {"_id": key, "expire_time": {"$gt": now}, "attempts_left": {"$gt": 0}},
            {"$inc": {"attempts_left": -1}},
            return_document=ReturnDocument.AFTER,
        )
        return None if found is None else _otp(found)

    async def use_up(self, otp: KeptOtp) -> bool:
        """Remove a code; of several who do so at once one is told True."""
        done = await self._otps.delete_one({"_id": otp.key, "salt": otp.salt})
        return done.deleted_count == 1


def _document(otp: KeptOtp) -> Document:
    return {
        "_id": otp.key,
        "app_id": otp.app_id,
        "salt": otp.salt,
        "digest": otp.digest,
        "attempts_left": otp.attempts_left,
        "expire_time": otp.expire_time,
    }


def _otp(document: Document) -> KeptOtp:
    return KeptOtp(
        document["_id"],
        document["app_id"],
        bytes(document["salt"]),
        bytes(document["digest"]),
        document["attempts_left"],
        document["expire_time"],
    )
