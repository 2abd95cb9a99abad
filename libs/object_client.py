"""A client of the operator's S3-compatible object store, with its failures in one form.

Apart from `libs.chassis.objects`, because the driver takes many megabytes of memory and a moment
to load: who may never use the store imports this only when it is used.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from libs.chassis.objects import ObjectStore

_CONFIG: Final = AioConfig(
    connect_timeout=10, read_timeout=60, retries={"max_attempts": 3, "mode": "standard"}
)


class ObjectStoreFailed(Exception):
    """The store refused or did not answer; the text says which, and may be told to a caller."""


@asynccontextmanager
async def object_client(store: ObjectStore) -> AsyncIterator[Any]:
    """An S3 client of aiobotocore. What goes wrong inside is raised as ObjectStoreFailed."""
    try:
        async with get_session().create_client(
            "s3",
            region_name=store.region,
            endpoint_url=store.endpoint_url or None,
            aws_access_key_id=store.access_key_id,
            aws_secret_access_key=store.secret_access_key,
            config=_CONFIG,
        ) as client:
            yield client
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise ObjectStoreFailed(f"the object store answered {code}") from error
    except (BotoCoreError, OSError) as error:
        told = f"the object store does not answer: {type(error).__name__}"
        raise ObjectStoreFailed(told) from error
