"""The guard for URLs a user gives us: https, and no address inside our own network (SSRF)."""

import asyncio
import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from libs.errors import UrlForbidden


async def check_url(field: str, url: str, allowed_hosts: Collection[str] = ()) -> list[str]:
    """The public addresses of the URL's host; connect to one of these and to nothing else.

    `allowed_hosts` are hosts an operator trusts; for those any scheme and address is fine.
    Raises UrlForbidden, naming the request field.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    trusted = host in allowed_hosts
    if not host or (parts.scheme != "https" and not (trusted and parts.scheme == "http")):
        raise UrlForbidden(field, host, "must be an https URL")
    addresses = await _resolve(field, host, parts.port or (443 if parts.scheme == "https" else 80))
    if not trusted and any(not ipaddress.ip_address(a).is_global for a in addresses):
        raise UrlForbidden(field, host, "points to a private address")
    return addresses


async def _resolve(field: str, host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise UrlForbidden(field, host, "host is not known") from error
    return [str(entry[4][0]) for entry in found]
