"""Files in an S3-compatible object store: one object, or all below a prefix that ends in `/`."""

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from libs.chassis.objects import ObjectStore, Place
from libs.object_client import ObjectStoreFailed, object_client
from services.endpoints.domain.jobs import FileUnreadable

_READ_BYTES: Final = 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


async def read_objects(store: ObjectStore, place: Place) -> AsyncIterator[bytes]:
    """The bytes of all objects, in order of their keys. Raises FileUnreadable."""
    try:
        async with object_client(store) as client:
            async for key in _keys(client, place):
                last = b""
                async for chunk in _object(client, place.bucket, key):
                    last = chunk or last
                    yield chunk
                if place.is_folder and not last.endswith(b"\n"):
                    yield b"\n"  # the next file begins a line
    except zlib.error as error:
        raise FileUnreadable("a .gz object is not gzip") from error
    except ObjectStoreFailed as error:
        raise FileUnreadable(str(error)) from error


async def _object(client: Any, bucket: str, key: str) -> AsyncIterator[bytes]:  # noqa: ANN401 - botocore has no types
    answer = await client.get_object(Bucket=bucket, Key=key)
    unzip = _Unzip() if key.endswith(".gz") else None
    async for chunk in answer["Body"].iter_chunks(_READ_BYTES):
        if unzip is None:
            yield chunk
            continue
        for piece in unzip.pieces(chunk):
            yield piece
    if unzip is not None:
        unzip.check_whole(key)


class _Unzip:
    """Unpacks a gzip file of any number of members (RFC 1952, 2.2) in bounded memory."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._begun = False

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        """What the next bytes unpack to. Raises zlib.error."""
        while packed:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            self._begun = True
            yield self._member.decompress(packed, _READ_BYTES)
            packed = self._member.unconsumed_tail or self._member.unused_data

    def check_whole(self, key: str) -> None:
        """Raise FileUnreadable when the file ended in the middle of a member."""
        if not self._begun or not self._member.eof:
            raise FileUnreadable(f"{key} is cut off")


async def _keys(client: Any, place: Place) -> AsyncIterator[str]:  # noqa: ANN401 - as above
    if not place.is_folder:
        yield place.key
        return
    pages = client.get_paginator("list_objects_v2")
    async for page in pages.paginate(Bucket=place.bucket, Prefix=place.key):
        for found in page.get("Contents", ()):
            if found["Size"]:
                yield found["Key"]
