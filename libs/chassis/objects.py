"""Places in an object store, `s3://bucket/key`, and which of them an installation may use."""

from collections.abc import Collection
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from libs.chassis.config import Settings
from libs.errors import UrlForbidden

SCHEME = "s3://"


@dataclass(frozen=True, slots=True)
class Place:
    """An object, or with a key that is empty or ends in `/` all objects below it."""

    bucket: str
    key: str

    @property
    def is_folder(self) -> bool:
        return not self.key or self.key.endswith("/")


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """The operator's object store. `buckets` are those that jobs may use; none means any."""

    endpoint_url: str = ""
    region: str = "us-east-1"
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)
    buckets: Collection[str] = ()

    def place(self, name: str, url: str) -> Place:
        """What a URL means here. Raises UrlForbidden naming the field `name`."""
        parts = urlsplit(url)
        if not self.access_key_id:
            told = "no object store is set up: S3_ACCESS_KEY_ID is empty"
            raise UrlForbidden(name, parts.netloc, told)
        if not parts.netloc or parts.query or parts.fragment:
            raise UrlForbidden(name, parts.netloc, "must be s3://bucket/key")
        if self.buckets and parts.netloc not in self.buckets:
            raise UrlForbidden(name, parts.netloc, "this installation does not use the bucket")
        return Place(parts.netloc, parts.path.removeprefix("/"))


def object_store_of(settings: Settings) -> ObjectStore:
    """Where s3:// URLs lead in this installation."""
    return ObjectStore(
        settings.s3_endpoint_url,
        settings.s3_region,
        settings.s3_access_key_id,
        settings.s3_secret_access_key.get_secret_value(),
        [bucket for bucket in settings.s3_buckets.split(",") if bucket],
    )
