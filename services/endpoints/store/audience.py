"""Audiences: counted and streamed by filter, within one application and in order of ids."""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Final

from libs.mongo.client import Database
from services.endpoints.domain.filters import Filter, Imported
from services.endpoints.domain.identity import IdRange, shard_range
from services.endpoints.store.endpoints import COLLECTION
from services.endpoints.store.filters import query_for

COUNT_PIECES: Final = 2
"""A count runs as this many ranges side by side: the server has a thread for each."""
_LENGTH: Final = struct.Struct("<i")
# A document of the one field: its length, the type, "member\\0", the field's length, the subtype.
_BEFORE_MEMBER: Final = 4 + 1 + 7 + 4 + 1


class AudienceStore:
    """Questions about many endpoints."""

    def __init__(self, database: Database) -> None:
        self._endpoints = database[COLLECTION]

    async def tally(self, application_id: str, asked: Filter) -> dict[str, int]:
        """Endpoints the filter admits, by channel; `+` behind it for those that can be reached."""
        parts = await asyncio.gather(
            *(
                self._tally(shard_range(application_id, n, COUNT_PIECES), asked)
                for n in range(COUNT_PIECES)
            )
        )
        total: dict[str, int] = {}
        for part in parts:
            for name, count in part.items():
                total[name] = total.get(name, 0) + count
        return total

    async def _tally(self, ids: IdRange, asked: Filter) -> dict[str, int]:
        pipeline = [
            {"$match": query_for(ids, asked)},
            {"$group": {"_id": "$tally", "count": {"$sum": 1}}},
        ]
        cursor = self._endpoints.aggregate(pipeline, hint="by_id")
        return {found["_id"]: found["count"] async for found in cursor}

    async def members(
        self, ids: IdRange, asked: Filter, batch_size: int
    ) -> AsyncIterator[Sequence[bytes]]:
        """Serialized AudienceMembers, a batch at a time, in order of document ids."""
        cursor = self._endpoints.find_raw_batches(
            query_for(ids, asked),
            {"_id": 0, "member": 1},
            batch_size=batch_size,
            hint="by_id",
            sort=[("_id", 1)],
        )
        try:
            async for batch in cursor:
                yield _members(batch)
        finally:
            await cursor.close()  # a reader that goes away leaves nothing open at the server

    async def segment_channels(self, application_id: str, segment_id: str) -> dict[str, int]:
        """Members of an imported segment by channel."""
        channels: dict[str, int] = {}
        for name, count in (await self.tally(application_id, Imported(segment_id))).items():
            channel = name.removesuffix("+")
            channels[channel] = channels.get(channel, 0) + count
        return channels


def _members(batch: bytes) -> list[bytes]:
    """The one field of each document in a raw batch, without decoding a document."""
    members: list[bytes] = []
    offset, end = 0, len(batch)
    while offset < end:
        (length,) = _LENGTH.unpack_from(batch, offset)
        members.append(batch[offset + _BEFORE_MEMBER : offset + length - 1])
        offset += length
    return members
