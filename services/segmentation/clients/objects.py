"""Files into an S3-compatible object store."""

from libs.chassis.objects import ObjectStore, Place
from libs.object_client import ObjectStoreFailed, object_client
from services.segmentation.domain.exports import ExportFailed


async def put_object(store: ObjectStore, place: Place, name: str, body: bytes) -> None:
    """Write a file; the same name again replaces it. Raises ExportFailed."""
    try:
        async with object_client(store) as client:
            await client.put_object(Bucket=place.bucket, Key=place.key + name, Body=body)
    except ObjectStoreFailed as error:
        raise ExportFailed(str(error)) from error
