"""Labels of the documents of one collection, changed without touching the rest of a document."""

from collections.abc import Callable, Mapping
from typing import Any

from libs.errors import ResourceNotFound
from libs.mongo.client import Database, Document

# Application id and resource id to the query that finds the one document.
Find = Callable[[str, str], Document]


class TagStore:
    """Reads labels and replaces them unless someone else did meanwhile.

    They are a field `tags`: a document, or with `as_pairs` a list of pairs. `counter` is a field
    that each change moves on, where writers of the whole document watch one.
    """

    def __init__(
        self,
        database: Database,
        collection: str,
        find: Find,
        *,
        as_pairs: bool = False,
        counter: str = "",
    ) -> None:
        self._documents = database[collection]
        self._resource = collection.removesuffix("s")
        self._find = find
        self._as_pairs = as_pairs
        self._counter = counter

    async def read(self, app_id: str, resource_id: str) -> dict[str, str]:
        """The labels by key. Raises ResourceNotFound."""
        found = await self._documents.find_one(self._find(app_id, resource_id), {"tags": 1})
        if found is None:
            raise ResourceNotFound(self._resource, resource_id or app_id)
        return dict(found["tags"])

    async def replace(
        self, app_id: str, resource_id: str, before: Mapping[str, str], after: Mapping[str, str]
    ) -> bool:
        """Write `after` where `before` still stands; False when it does not."""
        query = {**self._find(app_id, resource_id), "tags": self._kept(before)}
        change: Document = {"$set": {"tags": self._kept(after)}}
        if self._counter:
            change["$inc"] = {self._counter: 1}
        result = await self._documents.update_one(query, change)
        return result.matched_count > 0

    def _kept(self, tags: Mapping[str, str]) -> Any:  # noqa: ANN401 - a document or a list
        return [list(pair) for pair in tags.items()] if self._as_pairs else dict(tags)
