"""Templates in MongoDB: one head a template, one document a version."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from libs.errors import ResourceExists, ResourceNotFound, VersionConflict
from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from libs.mongo.tags import TagStore
from services.templates.domain.template import Content, Head, Template

INDEXES: Final[Indexes] = {
    "templates": [Index("by_kind", (("kind", 1), ("name", 1)))],
    "versions": [Index("by_template", (("template", 1), ("version", -1)))],
}
After = Sequence[Any] | None


class TemplateStore:
    """Heads and versions; a head is changed only by whoever read its latest revision."""

    def __init__(self, database: Database) -> None:
        self._heads = database["templates"]
        self._versions = database["versions"]

    async def add(self, head: Head, template: Template) -> None:
        """Keep a new template. Raises ResourceExists."""
        await self._write(template, only_new=True)
        try:
            await self._heads.insert_one(_head_document(head))
        except DuplicateKeyError as error:
            raise ResourceExists("template", f"{head.name}/{head.kind}") from error

    async def count(self) -> int:
        return await self._heads.estimated_document_count()

    async def head(self, kind: str, name: str) -> Head:
        found = await self._heads.find_one({"_id": _key(kind, name)})
        if found is None:
            raise ResourceNotFound("template", f"{name}/{kind}")
        return _head(found)

    async def version(self, head: Head, version: int) -> Template:
        """A version; 0 means the active one."""
        number = version or head.active
        found = await self._versions.find_one({"_id": _version_key(head, number)})
        if found is None:
            raise ResourceNotFound("template version", f"{head.name}/{head.kind}/{number}")
        return _template(found, head)

    async def save(self, head: Head, template: Template | None) -> Head:
        """Replace the head unless someone else did, then write the version."""
        saved = replace(head, revision=head.revision + 1)
        key = {"_id": _key(head.kind, head.name), "revision": head.revision}
        result = await self._heads.replace_one(key, _head_document(saved))
        if not result.matched_count:
            raise VersionConflict("template", f"{head.name}/{head.kind}")
        if template is not None:
            await self._write(template)
        return saved

    async def page(self, kind: str, prefix: str, after: After, limit: int) -> list[Template]:
        """Active versions in order of name and type."""
        query: Document = {"kind": kind} if kind else {}
        low = after[0] if after else prefix
        names = {"$gte": prefix, "$lt": prefix + "\U0010ffff"} if prefix else {}
        query["name"] = {**names, **({"$gte": low} if after else {})} or {"$exists": True}
        if after:
            query["_id"] = {"$ne": _key(after[1], after[0])}
            query["$or"] = [{"name": {"$gt": after[0]}}, {"kind": {"$gt": after[1]}}]
        cursor = self._heads.find(query).sort([("name", 1), ("kind", 1)]).limit(limit)
        heads = [_head(found) async for found in cursor]
        return await self._active(heads)

    async def versions(self, head: Head, before: int | None, limit: int) -> list[Template]:
        """Versions, newest first, below `before`."""
        query: Document = {"template": _key(head.kind, head.name)}
        if before is not None:
            query["version"] = {"$lt": before}
        cursor = self._versions.find(query).sort("version", -1).limit(limit)
        return [_template(found, head) async for found in cursor]

    async def delete(self, head: Head) -> None:
        """Delete the template with all versions."""
        await self._heads.delete_one({"_id": _key(head.kind, head.name)})
        await self._versions.delete_many({"template": _key(head.kind, head.name)})

    async def delete_version(self, head: Head, version: int) -> None:
        result = await self._versions.delete_one({"_id": _version_key(head, version)})
        if not result.deleted_count:
            raise ResourceNotFound("template version", f"{head.name}/{head.kind}/{version}")

    async def _active(self, heads: Sequence[Head]) -> list[Template]:
        by_key = {_version_key(head, head.active): head for head in heads}
        cursor = self._versions.find({"_id": {"$in": list(by_key)}})
        found = {document["_id"]: document async for document in cursor}
        return [_template(found[key], head) for key, head in by_key.items() if key in found]

    async def _write(self, template: Template, *, only_new: bool = False) -> None:
        document = _version_document(template)
        try:
            if only_new:
                await self._versions.insert_one(document)
            else:
                await self._versions.replace_one({"_id": document["_id"]}, document, upsert=True)
        except DuplicateKeyError as error:
            raise ResourceExists("template", f"{template.name}/{template.kind}") from error


def _key(kind: str, name: str) -> str:
    return f"{kind}/{name}"


def _version_key(head: Head, version: int) -> str:
    return f"{_key(head.kind, head.name)}/{version}"


def _head_document(head: Head) -> Document:
    return {
        "_id": _key(head.kind, head.name),
        "name": head.name,
        "kind": head.kind,
        "latest": head.latest,
        "active": head.active,
        "tags": dict(head.tags),
        "creation_date": head.creation_date,
        "revision": head.revision,
    }


def _head(found: Document) -> Head:
    return Head(
        found["name"],
        found["kind"],
        found["latest"],
        found["active"],
        found["tags"],
        found["creation_date"],
        found["revision"],
    )


def _version_document(template: Template) -> Document:
    key = _key(template.kind, template.name)
    return {
        "_id": f"{key}/{template.version}",
        "template": key,
        "version": template.version,
        "description": template.description,
        # Dotted names are values here, not paths, so they are kept as pairs.
        "parts": [list(pair) for pair in template.content.parts.items()],
        "headers": [list(header) for header in template.content.headers],
        "facts": [list(pair) for pair in template.content.facts.items()],
        "document": template.content.document,
        "default_substitutions": [list(pair) for pair in template.default_substitutions.items()],
        "last_modified_date": template.last_modified_date,
    }


def _content(found: Document) -> Content:
    return Content(
        # A mapping in documents of before, pairs since.
        dict(found["parts"]),
        tuple((n, v) for n, v in found["headers"]),
        dict(found.get("facts", ())),
        bytes(found.get("document", b"")),
    )


def _template(found: Document, head: Head) -> Template:
    return Template(
        name=head.name,
        kind=head.kind,
        content=_content(found),
        description=found["description"],
        default_substitutions=dict(found["default_substitutions"]),
        version=found["version"],
        active=found["version"] == head.active,
        tags=head.tags,
        creation_date=head.creation_date,
        last_modified_date=found["last_modified_date"],
    )


def tags(database: Database) -> TagStore:
    """Where the labels of templates are."""

    def find(_: str, name_and_kind: str) -> Document:
        name, _, kind = name_and_kind.rpartition("/")
        return {"_id": _key(kind, name)}

    return TagStore(database, "templates", find, counter="revision")
