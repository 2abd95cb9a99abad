"""Applications, settings and keys in MongoDB."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from libs.errors import ResourceExists, ResourceNotFound
from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from libs.mongo.tags import TagStore
from services.applications.domain import (
    ApiKey,
    Application,
    ApplicationSettings,
    Limits,
    QuietTime,
)

INDEXES: Final[Indexes] = {
    "applications": [Index("by_time", (("create_time", 1), ("_id", 1)))],
    "api_keys": [Index("by_time", (("create_time", 1), ("_id", 1)))],
}
After = Sequence[Any] | None


class ApplicationStore:
    """Applications with their settings in one document, so that both come and go together."""

    def __init__(self, database: Database) -> None:
        self._applications = database["applications"]

    async def add(self, application: Application, settings: ApplicationSettings) -> None:
        document = {
            "_id": application.application_id,
            "name": application.name,
            "tags": dict(application.tags),
            "create_time": application.create_time,
            "settings": _settings_document(settings),
        }
        await self._applications.insert_one(document)

    async def count(self) -> int:
        return await self._applications.count_documents({})

    async def get(self, application_id: str) -> Application:
        return _application(await self._document(application_id))

    async def settings(self, application_id: str) -> ApplicationSettings:
        return _settings(await self._document(application_id))

    async def save_settings(self, settings: ApplicationSettings) -> None:
        await self._applications.update_one(
            {"_id": settings.application_id}, {"$set": {"settings": _settings_document(settings)}}
        )

    async def page(
        self, application_ids: Sequence[str], after: After, limit: int
    ) -> list[Application]:
        """Applications in order of creation; no ids means all of them."""
        query: Document = {"_id": {"$in": list(application_ids)}} if application_ids else {}
        cursor = self._applications.find(_after(query, after), {"settings": 0})
        found = cursor.sort([("create_time", 1), ("_id", 1)]).limit(limit)
        return [_application(document) async for document in found]

    async def delete(self, application_id: str) -> Application:
        document = await self._applications.find_one_and_delete({"_id": application_id})
        if document is None:
            raise ResourceNotFound("application", application_id)
        return _application(document)

    async def _document(self, application_id: str) -> Document:
        document = await self._applications.find_one({"_id": application_id})
        if document is None:
            raise ResourceNotFound("application", application_id)
        return document


class KeyStore:
    """Keys; of a secret the hash is kept to check it, and the ciphertext for request signing."""

    def __init__(self, database: Database) -> None:
        self._keys = database["api_keys"]

    async def add(self, key: ApiKey, secret_hash: bytes, sealed_secret: str) -> None:
        document = _key_document(key) | {"secret_hash": secret_hash, "secret": sealed_secret}
        try:
            await self._keys.insert_one(document)
        except DuplicateKeyError as error:
            raise ResourceExists("api key", key.access_key_id) from error

    async def ensure(self, key: ApiKey, secret_hash: bytes, sealed_secret: str) -> None:
        """Add the key, or give the one of that id this secret and role again."""
        document = _key_document(key) | {"secret_hash": secret_hash, "secret": sealed_secret}
        key_id = document.pop("_id")
        await self._keys.update_one({"_id": key_id}, {"$set": document}, upsert=True)

    async def resolve(self, access_key_id: str) -> tuple[ApiKey, bytes]:
        """A key and the hash of its secret."""
        document = await self._keys.find_one({"_id": access_key_id})
        if document is None:
            raise ResourceNotFound("api key", access_key_id)
        return _key(document), bytes(document["secret_hash"])

    async def sealed_secret(self, access_key_id: str) -> tuple[ApiKey, str]:
        """A key and the ciphertext of its secret."""
        document = await self._keys.find_one({"_id": access_key_id})
        if document is None:
            raise ResourceNotFound("api key", access_key_id)
        return _key(document), document["secret"]

    async def page(self, application_ids: Sequence[str], after: After, limit: int) -> list[ApiKey]:
        """Keys in order of creation; with ids only keys that open nothing else."""
        query: Document = {}
        if application_ids:
            inside = {"$not": {"$elemMatch": {"$nin": list(application_ids)}}}
            query = {"application_ids": {"$ne": [], **inside}}
        cursor = self._keys.find(_after(query, after), {"secret": 0, "secret_hash": 0})
        found = cursor.sort([("create_time", 1), ("_id", 1)]).limit(limit)
        return [_key(document) async for document in found]

    async def set_disabled(self, access_key_id: str, *, disabled: bool) -> ApiKey:
        document = await self._keys.find_one_and_update(
            {"_id": access_key_id}, {"$set": {"disabled": disabled}}, return_document=True
        )
        if document is None:
            raise ResourceNotFound("api key", access_key_id)
        return _key(document)

    async def delete(self, access_key_id: str) -> None:
        result = await self._keys.delete_one({"_id": access_key_id})
        if not result.deleted_count:
            raise ResourceNotFound("api key", access_key_id)

    async def delete_for_application(self, application_id: str) -> None:
        """Take the application from every key; keys that opened nothing else go."""
        await self._keys.delete_many({"application_ids": [application_id]})
        await self._keys.update_many(
            {"application_ids": application_id}, {"$pull": {"application_ids": application_id}}
        )


def _after(query: Document, after: After) -> Document:
    if after is None:
        return query
    moment, last_id = after
    later = [{"create_time": {"$gt": moment}}, {"create_time": moment, "_id": {"$gt": last_id}}]
    return {"$and": [query, {"$or": later}]}


def _application(document: Document) -> Application:
    return Application(document["_id"], document["name"], document["tags"], document["create_time"])


def _settings_document(settings: ApplicationSettings) -> Document:
    document = asdict(settings)
    document.pop("application_id")
    return document


def _settings(document: Document) -> ApplicationSettings:
    stored: Mapping[str, Any] = document["settings"]
    limits, quiet = stored["limits"], stored["quiet_time"]
    update_time: datetime = stored["update_time"]
    return ApplicationSettings(
        application_id=document["_id"],
        update_time=update_time,
        limits=Limits(**limits) if limits else None,
        quiet_time=QuietTime(**quiet) if quiet else None,
        on_missing_variable=stored["on_missing_variable"],
        timezone=stored["timezone"],
    )


def _key_document(key: ApiKey) -> Document:
    document = asdict(key)
    document["_id"] = document.pop("access_key_id")
    document["application_ids"] = list(key.application_ids)
    return document


def _key(document: Document) -> ApiKey:
    return ApiKey(
        access_key_id=document["_id"],
        description=document["description"],
        role=document["role"],
        application_ids=tuple(document["application_ids"]),
        create_time=document["create_time"],
        expire_time=document["expire_time"],
        disabled=document["disabled"],
    )


def tags(database: Database) -> TagStore:
    """Where the labels of applications are."""
    return TagStore(database, "applications", lambda app_id, _: {"_id": app_id})
