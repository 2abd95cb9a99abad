"""Endpoints: read by id and by user, written under a version, taken out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pymongo import DeleteOne, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from libs.errors import ResourceNotFound
from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from services.endpoints.domain.endpoint import Endpoint, Stored, Texts
from services.endpoints.domain.identity import application_range, document_id
from services.endpoints.store.documents import (
    endpoint_bytes,
    key_of,
    to_document,
    to_endpoint,
    to_stored,
)

COLLECTION: Final = "endpoints"
INDEXES: Final[Indexes] = {
    COLLECTION: [
        # For many ids at once: on a clustered collection $in on _id reads the whole range between
        # the least and the greatest of them (MongoDB 6.0).
        Index("by_key", (("app_id", 1), ("key", 1)), unique=True),
        Index("by_user", (("app_id", 1), ("user_id", 1)), partial={"user_id": {"$gt": ""}}),
        # Unique: of the endpoints with one address only one is ACTIVE, whoever writes at once.
        Index(
            "by_address",
            (("app_id", 1), ("reach", 1)),
            unique=True,
            partial={"reach": {"$gt": ""}},
        ),
    ],
}
_DUPLICATE_KEY: Final = 11000
_STORED: Final = {"member": 1, "v": 1, "last_activity": 1, "imports": 1}


@dataclass(frozen=True, slots=True)
class Draft:
    """An endpoint to write. `version` is the one that was read; None means it must not exist.

    `joins` is an imported segment it becomes a member of.
    """

    document: Document
    version: int | None
    joins: str = ""

    @property
    def document_id(self) -> str:
        key: str = self.document["_id"]
        return key

    @property
    def size_bytes(self) -> int:
        """Size of all that the endpoint holds, serialized."""
        return len(self.document["member"])


def drafted(document_id: str, endpoint: Endpoint, before: Stored | None, joins: str = "") -> Draft:
    """An endpoint to write in place of what was read."""
    activity, imports = endpoint.effective_date, frozenset[str]()
    if before is not None:
        activity, imports = max(activity, before.last_activity), before.imports
    if joins:
        imports |= {joins}
    document = to_document(document_id, endpoint, activity, imports)
    return Draft(document, before.version if before else None, joins)


@dataclass(slots=True)
class Written:
    """What a bulk write did: documents that lost against another writer, and addresses that an
    endpoint of another id holds.
    """

    lost: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Member:
    """An endpoint of a user, as far as agreeing on the user's attributes needs it."""

    document_id: str
    user_id: str
    attributes: Document
    last_activity: datetime


class EndpointStore:
    """The collection of endpoints. Every query names the application."""

    def __init__(self, database: Database) -> None:
        self._endpoints = database[COLLECTION]

    async def get(self, application_id: str, endpoint_id: str) -> bytes:
        """The serialized Endpoint. Raises ResourceNotFound."""
        document = await self._document(application_id, endpoint_id)
        return endpoint_bytes(document)

    async def get_stored(self, application_id: str, endpoint_id: str) -> tuple[Stored, bytes]:
        """The endpoint for a filter to look at, and serialized. Raises ResourceNotFound."""
        document = await self._document(application_id, endpoint_id)
        return to_stored(document), endpoint_bytes(document)

    async def _document(self, application_id: str, endpoint_id: str) -> Document:
        key = {"_id": document_id(application_id, endpoint_id)}
        document = await self._endpoints.find_one(key, _STORED)
        if document is None:
            raise ResourceNotFound("endpoint", endpoint_id)
        return document

    async def get_many(self, application_id: str, endpoint_ids: Sequence[str]) -> list[bytes]:
        """The serialized endpoints that exist."""
        keys = sorted({document_id(application_id, i) for i in endpoint_ids})
        return [endpoint_bytes(d) for d in await self._by_id(keys, {"member": 1})]

    async def stored(self, document_ids: Collection[str]) -> dict[str, Stored]:
        """Endpoints by document id."""
        found = await self._by_id(sorted(document_ids), _STORED)
        return {document["_id"]: to_stored(document) for document in found}

    async def _by_id(self, document_ids: Sequence[str], projection: Document) -> list[Document]:
        if not document_ids:
            return []
        application_id = document_ids[0].partition("/")[0]
        query = {"app_id": application_id, "key": {"$in": [key_of(i) for i in document_ids]}}
        cursor = self._endpoints.find(query, projection, hint="by_key")
        return await cursor.batch_size(max(101, len(document_ids))).to_list(None)

    async def of_users(self, application_id: str, user_ids: Collection[str]) -> list[bytes]:
        """The serialized endpoints of users."""
        found = await self._of_users(application_id, user_ids, {"member": 1})
        return [endpoint_bytes(document) for document in found]

    async def members(
        self, application_id: str, user_ids: Collection[str]
    ) -> list[tuple[str, Endpoint]]:
        """The endpoints of users with their document ids."""
        found = await self._of_users(application_id, user_ids, {"member": 1})
        return [(d["_id"], to_endpoint(endpoint_bytes(d))) for d in found]

    async def user_attributes(
        self, application_id: str, user_ids: Collection[str]
    ) -> dict[str, list[Member]]:
        """What each endpoint of users says of its user, oldest activity first."""
        wanted = {"user_id": 1, "user_attributes": 1, "last_activity": 1}
        grouped: dict[str, list[Member]] = {}
        for found in await self._of_users(application_id, user_ids, wanted):
            member = Member(
                found["_id"], found["user_id"], found["user_attributes"], found["last_activity"]
            )
            grouped.setdefault(member.user_id, []).append(member)
        for members in grouped.values():
            members.sort(key=lambda m: (m.last_activity, m.document_id))
        return grouped

    async def _of_users(
        self, application_id: str, user_ids: Collection[str], projection: Document
    ) -> list[Document]:
        if not user_ids:
            return []
        query = {"app_id": application_id, "user_id": {"$in": sorted(user_ids)}}
        cursor = self._endpoints.find(query, projection, hint="by_user")
        return await cursor.batch_size(5000).to_list(None)

    async def holders(self, application_id: str, reaches: Collection[str]) -> dict[str, str]:
        """Document ids of the ACTIVE endpoints with these addresses, by address."""
        if not reaches:
            return {}
        query = {"app_id": application_id, "reach": {"$in": sorted(reaches)}}
        cursor = self._endpoints.find(query, {"reach": 1}, hint="by_address")
        return {found["reach"]: found["_id"] async for found in cursor}

    async def write(self, drafts: Sequence[Draft]) -> Written:
        """Write all in one bulk; what another writer changed since is left alone and told."""
        if not drafts:
            return Written()
        operations = [_operation(draft) for draft in drafts]
        versions = {d.document_id: d.document["v"] for d in drafts if d.version is not None}
        written = Written()
        try:
            result = (await self._endpoints.bulk_write(operations, ordered=False)).bulk_api_result
        except BulkWriteError as error:
            result = dict(error.details or {})
            _sort_errors(result.get("writeErrors", ()), drafts, written)
        if result.get("nMatched", 0) < len(versions):
            written.lost |= await self._outrun(versions)
        return written

    async def _outrun(self, versions: Mapping[str, int]) -> set[str]:
        found = await self._by_id(sorted(versions), {"v": 1})
        return set(versions) - {d["_id"] for d in found if d["v"] == versions[d["_id"]]}

    async def mark(self, document_ids: Collection[str], segment_id: str) -> None:
        """Make endpoints members of an imported segment."""
        operations = [
            UpdateOne({"_id": key}, {"$addToSet": {"imports": segment_id}})
            for key in sorted(document_ids)
        ]
        if operations:
            await self._endpoints.bulk_write(operations, ordered=False)

    async def touch(self, moments: Mapping[str, datetime]) -> None:
        """Move the last activity of endpoints forward, by document id; unknown ones are ignored."""
        operations = [
            UpdateOne({"_id": key}, {"$max": {"last_activity": moment}})
            for key, moment in sorted(moments.items())
        ]
        if operations:
            await self._endpoints.bulk_write(operations, ordered=False)

    async def ids_after(self, application_id: str, cursor: str, limit: int) -> list[str]:
        """Document ids of an application behind a document id, in order."""
        ids = application_range(application_id)
        query = {"_id": {"$gt": cursor or ids.low, "$lt": ids.high}}
        cursor_of = self._endpoints.find(query, {"_id": 1}).sort("_id", 1).limit(limit)
        return [found["_id"] async for found in cursor_of]

    async def delete(self, application_id: str, endpoint_id: str) -> bytes:
        """Take an endpoint out and return it serialized. Raises ResourceNotFound."""
        key = {"_id": document_id(application_id, endpoint_id)}
        document = await self._endpoints.find_one_and_delete(key, {"member": 1})
        if document is None:
            raise ResourceNotFound("endpoint", endpoint_id)
        return endpoint_bytes(document)

    async def delete_of_user(self, application_id: str, user_id: str) -> list[bytes]:
        """Take all endpoints of a user out and return them. Raises ResourceNotFound."""
        found = await self._of_users(application_id, [user_id], {"member": 1})
        if not found:
            raise ResourceNotFound("user", user_id)
        operations = [DeleteOne({"_id": d["_id"], "user_id": user_id}) for d in found]
        await self._endpoints.bulk_write(operations, ordered=False)
        return [endpoint_bytes(document) for document in found]

    async def delete_application(self, application_id: str) -> None:
        """Take all endpoints of an application out."""
        ids = application_range(application_id)
        await self._endpoints.delete_many({"_id": {"$gte": ids.low, "$lt": ids.high}})


def _operation(draft: Draft) -> Any:  # noqa: ANN401 - one of two write models
    if draft.version is None:
        return InsertOne(draft.document)
    document = dict(draft.document)
    key = {"_id": document.pop("_id"), "v": draft.version}
    # Activity is not replaced but moved forward: an event may have come in since it was read.
    # Membership is added to for the same reason.
    activity, imports = document.pop("last_activity"), document.pop("imports")
    update: Document = {"$set": document, "$max": {"last_activity": activity}}
    if draft.joins:
        update["$addToSet"] = {"imports": {"$each": imports}}
    return UpdateOne(key, update)


def _sort_errors(
    errors: Iterable[Mapping[str, Any]], drafts: Sequence[Draft], written: Written
) -> None:
    for error in errors:
        if error["code"] != _DUPLICATE_KEY:
            raise BulkWriteError({"writeErrors": [dict(error)]})
        written.lost.add(drafts[error["index"]].document_id)
        if "reach" in error.get("keyPattern", ()):
            written.taken.add(error["keyValue"]["reach"])


def plain_names(attributes: Document) -> Texts:
    """Attributes of a document under their own names."""
    return {
        name.replace("%24", "$").replace("%2E", ".").replace("%25", "%"): tuple(values)
        for name, values in attributes.items()
    }
