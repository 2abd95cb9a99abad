"""An object store that speaks S3, for tests: moto's server in a process of its own."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from deploy.local.ports import free_ports

KEY = {"S3_ACCESS_KEY_ID": "object-store", "S3_SECRET_ACCESS_KEY": "object-store-secret"}
BUCKET = "imports"


@contextmanager
def running_object_store() -> Iterator[dict[str, str]]:
    """Run it; yields the settings by which a service finds it. The bucket `imports` exists."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(url)
        settings = {"S3_ENDPOINT_URL": url, **KEY}
        bucket_of(settings).create_bucket(Bucket=BUCKET)
        yield settings
    finally:
        process.kill()
        process.wait()


def bucket_of(settings: dict[str, str]) -> Any:
    """boto3's client of the store."""
    return boto3.client(
        "s3",
        endpoint_url=settings["S3_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=settings["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["S3_SECRET_ACCESS_KEY"],
    )


def _wait(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{url}/moto-api/", timeout=5):  # noqa: S310
                return
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline, "moto's server did not start"
            time.sleep(0.1)  # noqa: TID251 - nothing runs in this process meanwhile
