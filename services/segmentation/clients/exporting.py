"""What an export reads and where it writes: members as lines, files into the object store."""

import asyncio
import gzip
from collections.abc import AsyncGenerator
from contextlib import aclosing

from touchpoint.endpoints.v1 import audience_service_pb2 as pb

from libs.chassis.objects import ObjectStore
from services.segmentation.clients.audience import AudienceClient, Part
from services.segmentation.clients.lines import line
from services.segmentation.domain.filters import Filter


class Exporting:
    """Members out of endpoints, files into the store."""

    def __init__(self, audience: AudienceClient, objects: ObjectStore) -> None:
        self._audience = audience
        self._objects = objects

    def check(self, field: str, url: str) -> None:
        """Raise UrlForbidden, naming the field, when files cannot go there."""
        self._objects.place(field, url)

    async def lines(
        self, app_id: str, asked: Filter, cursor: str
    ) -> AsyncGenerator[tuple[str, list[bytes]], None]:
        """Lines of members behind the cursor, batch by batch, with the cursor after each."""
        async with aclosing(self._audience.stream(app_id, asked, Part(cursor))) as batches:
            async for data in batches:
                batch = pb.StreamAudienceResponse.FromString(data)
                yield batch.cursor, [line(member.endpoint) for member in batch.members]

    async def put(self, url: str, name: str, lines: list[bytes]) -> None:
        """Write one file. Raises ExportFailed."""
        # Only here: the client takes many megabytes of memory and a moment of every start.
        from services.segmentation.clients.objects import put_object

        packed = await asyncio.to_thread(_packed, lines)
        place = self._objects.place("target_url", url)
        await put_object(self._objects, place, name, packed)


def _packed(lines: list[bytes]) -> bytes:
    return gzip.compress(b"".join(lines), compresslevel=6, mtime=0)
