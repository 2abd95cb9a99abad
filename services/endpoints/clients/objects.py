"""Files in an S3-compatible object store: one object, or all below a prefix that ends in `/`."""

import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from libs.chassis.objects import ObjectStore, Place
from services.endpoints.domain.jobs import FileUnreadable

_READ_BYTES: Final = 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS
_CONFIG: Final = AioConfig(
    connect_timeout=10, read_timeout=60, retries={"max_attempts": 3, "mode": "standard"}
)


async def read_objects(store: ObjectStore, place: Place) -> AsyncIterator[bytes]:
    """The bytes of all objects, in order of their keys. Raises FileUnreadable."""
    try:
        async with _client(store) as client:
            async for key in _keys(client, place):
                last = b""
                async for chunk in _object(client, place.bucket, key):
                    last = chunk or last
                    yield chunk
                if place.is_folder and not last.endswith(b"\n"):
                    yield b"\n"  # the next file begins a line
    except zlib.error as error:
        raise FileUnreadable("a .gz object is not gzip") from error
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise FileUnreadable(f"the object store answered {code}") from error
    except (BotoCoreError, OSError) as error:
        raise FileUnreadable(f"the object store does not answer: {type(error).__name__}") from error


async def _object(client: Any, bucket: str, key: str) -> AsyncIterator[bytes]:  # noqa: ANN401 - as above
    answer = await client.get_object(Bucket=bucket, Key=key)
    unzip = zlib.decompressobj(_GZIP) if key.endswith(".gz") else None
    async for chunk in answer["Body"].iter_chunks(_READ_BYTES):
        rest = chunk
        while rest:
            yield unzip.decompress(rest, _READ_BYTES) if unzip else rest
            rest = unzip.unconsumed_tail if unzip else b""


async def _keys(client: Any, place: Place) -> AsyncIterator[str]:  # noqa: ANN401 - botocore has no types
    if not place.is_folder:
        yield place.key
        return
    pages = client.get_paginator("list_objects_v2")
    async for page in pages.paginate(Bucket=place.bucket, Prefix=place.key):
        for found in page.get("Contents", ()):
            if found["Size"]:
                yield found["Key"]


def _client(store: ObjectStore) -> AbstractAsyncContextManager[Any]:
    made: AbstractAsyncContextManager[Any] = get_session().create_client(
        "s3",
        region_name=store.region,
        endpoint_url=store.endpoint_url or None,
        aws_access_key_id=store.access_key_id,
        aws_secret_access_key=store.secret_access_key,
        config=_CONFIG,
    )
    return made
