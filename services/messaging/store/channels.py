"""Channels: settings as they are, secrets only as ciphertext (architecture.md 8)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pymongo import ReturnDocument

from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from libs.vault import Vault
from services.messaging.domain.accounts import Sender
from services.messaging.domain.channels import ChannelStatus, EmailChannel, SmsChannel
from services.messaging.domain.recipients import EMAIL, SMS
from services.messaging.store.channel_documents import (
    email_document,
    email_of,
    sms_document,
    sms_of,
)
from services.messaging.store.flat_channels import (
    FlatChannel,
    channel_of,
    secrets_of,
    settings_of,
)

INDEXES: Final[Indexes] = {"channels": (Index("channels_of_application", (("app_id", 1),)),)}


@dataclass(frozen=True, slots=True)
class Shown:
    """A channel as people see it: `kept` are the names of the secrets that there are."""

    status: ChannelStatus
    channel: FlatChannel
    kept: frozenset[str]


class ChannelStore:
    """Channels by application and type.

    `email`, `sms` and `channel` are for workers and hold the secrets; `shown_email`, `shown_sms`
    and `shown` are for people and hold none.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._channels = database["channels"]
        self._vault = vault

    async def statuses(self, app_id: str) -> list[ChannelStatus]:
        """Every channel that was ever set up."""
        found = await self._channels.find({"app_id": app_id}).sort("_id", 1).to_list(None)
        return [_status(document) for document in found]

    async def enabled(self, app_id: str) -> frozenset[str]:
        """Types of the channels that may send."""
        found = await self._channels.find({"app_id": app_id, "enabled": True}).to_list(None)
        return frozenset(document["channel_type"] for document in found)

    async def shown_email(self, app_id: str) -> tuple[ChannelStatus, EmailChannel] | None:
        """The email channel without secrets; None when it is not set up."""
        found = await self._configured(app_id, EMAIL)
        return None if found is None else (_status(found), email_of(found["settings"], {}))

    async def shown_sms(self, app_id: str) -> tuple[ChannelStatus, SmsChannel] | None:
        """The SMS channel without secrets; None when it is not set up."""
        found = await self._configured(app_id, SMS)
        return None if found is None else (_status(found), sms_of(found["settings"], {}))

    async def email(self, app_id: str) -> EmailChannel | None:
        """The email channel with its secrets; None when it is not set up."""
        found = await self._configured(app_id, EMAIL)
        return None if found is None else email_of(found["settings"], self._opened(found))

    async def sms(self, app_id: str) -> SmsChannel | None:
        """The SMS channel with its secrets; None when it is not set up."""
        found = await self._configured(app_id, SMS)
        return None if found is None else sms_of(found["settings"], self._opened(found))

    async def channel(self, app_id: str, channel_type: str) -> FlatChannel | None:
        """A push or voice channel with its secrets; None when it is not set up."""
        found = await self._configured(app_id, channel_type)
        if found is None:
            return None
        return channel_of(channel_type, found["settings"], self._opened(found))

    async def shown(self, app_id: str, channel_type: str) -> Shown | None:
        """A push or voice channel without secrets; None when it is not set up."""
        found = await self._configured(app_id, channel_type)
        return None if found is None else _shown(found)

    async def save(
        self, app_id: str, channel_type: str, channel: FlatChannel, now: datetime
    ) -> Shown:
        """Set a push or voice channel up; empty secrets keep the value they had."""
        settings = (channel.enabled, settings_of(channel))
        saved = await self._save(app_id, channel_type, settings, secrets_of(channel), now)
        return _shown(saved)

    async def sms_senders(self) -> list[Sender]:
        """Every application that texts, without secrets; those set up first come first."""
        found = self._channels.find(
            {"channel_type": SMS, "enabled": True, "settings": {"$exists": True}}
        )
        documents = await found.sort([("create_time", 1), ("_id", 1)]).to_list(None)
        return [Sender(one["app_id"], sms_of(one["settings"], {})) for one in documents]

    async def save_email(
        self, app_id: str, channel: EmailChannel, now: datetime
    ) -> tuple[ChannelStatus, EmailChannel]:
        """Set the email channel up; empty secrets keep the value they had."""
        bare, secrets = email_document(channel)
        saved = await self._save(app_id, EMAIL, (channel.enabled, bare), secrets, now)
        return _status(saved), email_of(saved["settings"], {})

    async def save_sms(
        self, app_id: str, channel: SmsChannel, now: datetime
    ) -> tuple[ChannelStatus, SmsChannel]:
        """Set the SMS channel up; an empty secret keeps the value it had."""
        bare, secrets = sms_document(channel)
        saved = await self._save(app_id, SMS, (channel.enabled, bare), secrets, now)
        return _status(saved), sms_of(saved["settings"], {})

    async def drop(self, app_id: str, channel_type: str, now: datetime) -> ChannelStatus | None:
        """Switch a channel off and drop its settings and secrets; returns it as it was."""
        found = await self._channels.find_one_and_update(
            {"_id": _key(app_id, channel_type), "settings": {"$exists": True}},
            {
                "$set": {"enabled": False, "update_time": now},
                "$inc": {"version": 1},
                "$unset": {"settings": 1, "secrets": 1},
            },
            return_document=ReturnDocument.BEFORE,
        )
        return None if found is None else _status(found)

    async def _configured(self, app_id: str, channel_type: str) -> Document | None:
        return await self._channels.find_one(
            {"_id": _key(app_id, channel_type), "settings": {"$exists": True}}
        )

    async def _save(
        self,
        app_id: str,
        channel_type: str,
        settings: tuple[bool, Document],
        secrets: Mapping[str, str],
        now: datetime,
    ) -> Document:
        enabled, values = settings
        key = _key(app_id, channel_type)
        changes: Document = {"enabled": enabled, "settings": values, "update_time": now}
        for name, secret in secrets.items():
            if secret:
                changes[f"secrets.{name}"] = self._vault.encrypt(secret, f"{key}/{name}")
        saved: Document = await self._channels.find_one_and_update(
            {"_id": key},
            {
                "$set": changes,
                "$inc": {"version": 1},
                "$setOnInsert": {
                    "app_id": app_id,
                    "channel_type": channel_type,
                    "create_time": now,
                },
            },
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return saved

    def _opened(self, document: Document) -> Mapping[str, str]:
        return {
            name: self._vault.decrypt(ciphertext, f"{document['_id']}/{name}")
            for name, ciphertext in document.get("secrets", {}).items()
        }


def _key(app_id: str, channel_type: str) -> str:
    return f"{app_id}/{channel_type}"


def _status(document: Document) -> ChannelStatus:
    return ChannelStatus(
        document["app_id"],
        document["channel_type"],
        document["enabled"],
        bool(document.get("secrets")),
        document["version"],
        document["create_time"],
        document["update_time"],
        "settings" in document,
    )


def _shown(document: Document) -> Shown:
    channel = channel_of(document["channel_type"], document["settings"], {})
    return Shown(_status(document), channel, frozenset(document.get("secrets", ())))
