"""Certificates of channels, and which of several gateways tells of one today."""

from datetime import datetime, timedelta
from typing import Final

from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from services.messaging.domain.certificates import Certificate, day_of

INDEXES: Final[Indexes] = {
    "channels": (
        Index(
            "channels_with_certificate",
            (("settings.certificate_expire_time", 1),),
            partial={"settings.certificate_expire_time": {"$type": "date"}},
        ),
    )
}
LEASE: Final = timedelta(minutes=1)


class CertificateStore:
    """Certificates of the channels that may send."""

    def __init__(self, database: Database) -> None:
        self._channels = database["channels"]

    async def all(self) -> list[Certificate]:
        """Every certificate, of all applications."""
        wanted = {"settings.certificate_expire_time": {"$type": "date"}, "enabled": True}
        return [_certificate(one) for one in await self._channels.find(wanted).to_list(None)]

    async def claim(self, one: Certificate, now: datetime) -> bool:
        """Take it on oneself to tell of it today; false when somebody did or does."""
        taken = await self._channels.update_one(
            {
                "_id": _key(one),
                "certificate_alert.told_on": {"$ne": day_of(now)},
                "certificate_alert.lease_end": {"$not": {"$gt": now}},
            },
            {"$set": {"certificate_alert.lease_end": now + LEASE}},
        )
        return taken.modified_count == 1

    async def told(self, one: Certificate, now: datetime) -> None:
        """Remember that it was told today."""
        await self._channels.update_one(
            {"_id": _key(one)}, {"$set": {"certificate_alert": {"told_on": day_of(now)}}}
        )


def _key(one: Certificate) -> str:
    return f"{one.app_id}/{one.channel_type}"


def _certificate(document: Document) -> Certificate:
    settings = document["settings"]
    return Certificate(
        document["app_id"],
        document["channel_type"],
        settings["bundle_id"],
        settings["certificate_expire_time"],
        document.get("certificate_alert", {}).get("told_on", ""),
    )
