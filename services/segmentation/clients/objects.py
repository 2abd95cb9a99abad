"""Files into an S3-compatible object store."""

from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from libs.chassis.objects import ObjectStore, Place
from services.segmentation.domain.exports import ExportFailed

_CONFIG: Final = AioConfig(
    connect_timeout=10, read_timeout=60, retries={"max_attempts": 3, "mode": "standard"}
)


async def put_object(store: ObjectStore, place: Place, name: str, body: bytes) -> None:
    """Write a file; the same name again replaces it. Raises ExportFailed."""
    try:
        async with _client(store) as client:
            await client.put_object(Bucket=place.bucket, Key=place.key + name, Body=body)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise ExportFailed(f"the object store answered {code}") from error
    except (BotoCoreError, OSError) as error:
        raise ExportFailed(f"the object store does not answer: {type(error).__name__}") from error


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
