"""What signs requests to webhooks, by application; only ciphertext is kept (architecture.md 8)."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from pymongo import ReturnDocument

from libs.mongo.client import Database, Document
from libs.vault import Vault
from services.messaging.domain.webhooks import (
    MOST_SECRETS,
    SECRET_BYTES,
    Secret,
    in_force,
    secret_text,
)


class WebhookSecretStore:
    """The secrets of each application, newest first. The first is made when it is asked for."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._secrets = database["webhook_secrets"]
        self._vault = vault

    async def in_force(self, app_id: str, now: datetime) -> list[Secret]:
        """Those that sign now. Raises SecretUnreadable."""
        made = {"app_id": app_id, "secrets": [self._new(app_id, now)]}
        found: Document = await self._secrets.find_one_and_update(
            {"_id": app_id},
            {"$setOnInsert": made},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return in_force(self._opened(app_id, found["secrets"]), now)

    async def rotate(self, app_id: str, now: datetime) -> Secret:
        """Make a new one; those before sign on for a while."""
        new = self._new(app_id, now)
        push = {"$each": [new], "$position": 0, "$slice": MOST_SECRETS}
        await self._secrets.update_one(
            {"_id": app_id},
            {"$push": {"secrets": push}, "$setOnInsert": {"app_id": app_id}},
            upsert=True,
        )
        return self._opened(app_id, [new])[0]

    def _new(self, app_id: str, now: datetime) -> Document:
        text = secret_text(secrets.token_bytes(SECRET_BYTES))
        return {"ciphertext": self._vault.encrypt(text, _context(app_id)), "create_time": now}

    def _opened(self, app_id: str, documents: Sequence[Document]) -> list[Secret]:
        return [
            Secret(self._vault.decrypt(one["ciphertext"], _context(app_id)), one["create_time"])
            for one in documents
        ]


def _context(app_id: str) -> str:
    return f"{app_id}/CUSTOM/webhook"
