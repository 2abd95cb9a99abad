"""Index creation at start: create-only and idempotent; a clash stops the process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import IndexModel

from libs.mongo.client import Database


@dataclass(frozen=True, slots=True)
class Index:
    """An index: name, keys as (field, 1 or -1) pairs, and what else the server should know."""

    name: str
    keys: tuple[tuple[str, int], ...]
    unique: bool = False
    partial: Mapping[str, Any] | None = None
    expire_after_seconds: int | None = None

    def model(self) -> IndexModel:
        options: dict[str, Any] = {"name": self.name, "unique": self.unique}
        if self.partial is not None:
            options["partialFilterExpression"] = dict(self.partial)
        if self.expire_after_seconds is not None:
            options["expireAfterSeconds"] = self.expire_after_seconds
        return IndexModel(list(self.keys), **options)


Indexes = Mapping[str, Sequence[Index]]


async def ensure_indexes(database: Database, indexes: Indexes) -> None:
    """Create what is missing, by collection name."""
    for collection, wanted in indexes.items():
        if wanted:
            await database[collection].create_indexes([index.model() for index in wanted])


async def ensure_clustered(database: Database, collection: str) -> None:
    """Create a collection that lies in `_id` order: ranges of ids are read in one sweep."""
    if collection not in await database.list_collection_names(filter={"name": collection}):
        await database.create_collection(
            collection, clusteredIndex={"key": {"_id": 1}, "unique": True, "name": "by_id"}
        )
