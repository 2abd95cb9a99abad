"""The latest version of each segment in `segments`, the ones before it in `segment_versions`."""

import re
from collections.abc import Sequence
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from libs.errors import ResourceNotFound, VersionConflict
from libs.mongo.client import Database, Document
from libs.mongo.indexes import Index, Indexes
from libs.mongo.tags import TagStore
from services.segmentation.domain.segment import Reference, Segment
from services.segmentation.store.documents import document_id, from_document, to_document

INDEXES: Final[Indexes] = {
    "segments": [Index("by_app", (("app_id", 1), ("creation_date", -1), ("segment_id", -1)))],
    "segment_versions": [
        Index("by_segment", (("app_id", 1), ("segment_id", 1), ("version", -1))),
    ],
}
After = Sequence[Any] | None


class SegmentStore:
    """Segments of all applications; every query names the application."""

    def __init__(self, database: Database) -> None:
        self._segments = database["segments"]
        self._versions = database["segment_versions"]

    async def add(self, segment: Segment) -> bool:
        """Keep a new segment. False when there is one of that id already; it stays as it is."""
        key = document_id(segment.application_id, segment.segment_id)
        try:
            await self._segments.insert_one({"_id": key, **to_document(segment)})
        except DuplicateKeyError:
            return False
        return True

    async def replace(self, before: Segment, after: Segment) -> None:
        """Make `after` the latest version unless `before` is no more. Raises VersionConflict.

        The version before is copied away first: after a crash it is there twice, never missing.
        """
        key = document_id(before.application_id, before.segment_id)
        old_key = document_id(before.application_id, before.segment_id, str(before.version))
        old = {"_id": old_key, **to_document(before)}
        await self._versions.replace_one({"_id": old_key}, old, upsert=True)
        result = await self._segments.replace_one(
            {"_id": key, "version": before.version}, to_document(after)
        )
        if not result.matched_count:
            raise VersionConflict("segment", before.segment_id)

    async def refresh_import(self, segment: Segment) -> None:
        """Keep the facts of a newer import into the same imported segment."""
        await self._segments.update_one(
            {
                "_id": document_id(segment.application_id, segment.segment_id),
                "imported": {"$ne": None},
                "last_modified_date": {"$lt": segment.last_modified_date},
            },
            {
                "$set": {
                    "imported": to_document(segment)["imported"],
                    "last_modified_date": segment.last_modified_date,
                }
            },
        )

    async def get(self, app_id: str, segment_id: str, version: int = 0) -> Segment:
        """A version of a segment; 0 is the latest. Raises ResourceNotFound."""
        reference = Reference(segment_id, version)
        found = await self.get_many(app_id, [reference])
        if reference not in found:
            named = f"{segment_id} version {version}" if version else segment_id
            raise ResourceNotFound("segment", named)
        return found[reference]

    async def get_many(self, app_id: str, wanted: Sequence[Reference]) -> dict[Reference, Segment]:
        """What exists of the segments and versions asked for."""
        keys = {document_id(app_id, reference.segment_id) for reference in wanted}
        latest: dict[str, Segment] = {}
        async for document in self._segments.find({"_id": {"$in": sorted(keys)}}):
            latest[document["segment_id"]] = from_document(document)
        found = {
            reference: segment
            for reference in wanted
            if (segment := latest.get(reference.segment_id))
            and reference.version in (0, segment.version)
        }
        missing = [r for r in wanted if r not in found and r.segment_id in latest and r.version > 0]
        return found | await self._older(app_id, missing, latest) if missing else found

    async def _older(
        self, app_id: str, wanted: Sequence[Reference], latest: dict[str, Segment]
    ) -> dict[Reference, Segment]:
        keys = [
            document_id(app_id, reference.segment_id, str(reference.version))
            for reference in wanted
            if reference.version < latest[reference.segment_id].version
        ]
        older = [from_document(d) async for d in self._versions.find({"_id": {"$in": keys}})]
        return {Reference(segment.segment_id, segment.version): segment for segment in older}

    async def page(self, app_id: str, prefix: str, after: After, limit: int) -> list[Segment]:
        """Latest versions of the segments whose name begins so, the newest segment first."""
        query: Document = {"app_id": app_id}
        if prefix:
            query["name"] = {"$regex": f"^{re.escape(prefix)}"}
        if after is not None:
            moment, last_id = after
            query["$or"] = [
                {"creation_date": {"$lt": moment}},
                {"creation_date": moment, "segment_id": {"$lt": last_id}},
            ]
        cursor = self._segments.find(query).sort([("creation_date", -1), ("segment_id", -1)])
        return [from_document(found) async for found in cursor.limit(limit)]

    async def versions(self, latest: Segment, before: int | None, limit: int) -> list[Segment]:
        """Versions of a segment, the newest first, those below `before`."""
        found = [latest] if before is None or before > latest.version else []
        below = min(before or latest.version, latest.version)
        query = {
            "app_id": latest.application_id,
            "segment_id": latest.segment_id,
            "version": {"$lt": below},
        }
        left = limit - len(found)
        if left > 0:
            cursor = self._versions.find(query).sort("version", -1).limit(left)
            found += [from_document(document) async for document in cursor]
        return found

    async def delete(self, app_id: str, segment_id: str) -> None:
        """Delete a segment with all versions; one that is gone already is no error."""
        await self._versions.delete_many({"app_id": app_id, "segment_id": segment_id})
        await self._segments.delete_one({"_id": document_id(app_id, segment_id)})

    async def delete_application(self, app_id: str) -> None:
        """Delete all segments of an application."""
        await self._versions.delete_many({"app_id": app_id})
        await self._segments.delete_many({"app_id": app_id})


def tags(database: Database) -> TagStore:
    """Where the labels of segments are."""
    return TagStore(
        database, "segments", lambda app_id, one: {"_id": document_id(app_id, one)}, as_pairs=True
    )
