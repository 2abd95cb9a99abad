"""Deleting everything of an application, when it is deleted."""

import re
from typing import Final

from libs.mongo.client import Database

_BY_APPLICATION: Final = (
    "dispatches",
    "batches",
    "messages",
    "contents",
    "channels",
    "otps",
    "holds",
    "complaints",
    "weights",
    "webhook_secrets",
)
_BY_KEY: Final = ("optouts", "requests")
"""Their ids begin with the application's. The suppression list is the installation's and stays."""


class ErasureStore:
    """All collections of this service."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget(self, app_id: str) -> None:
        """Delete what is held of an application; a repeat deletes what came in since."""
        for collection in _BY_APPLICATION:
            await self._database[collection].delete_many({"app_id": app_id})
        begins = {"$regex": f"^{re.escape(app_id)}/"}
        for collection in _BY_KEY:
            await self._database[collection].delete_many({"_id": begins})
