"""HTTP fetches that dial the addresses they are given, and no others."""

from collections.abc import AsyncIterator, Collection
from socket import AddressFamily
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from services.endpoints.domain.jobs import FileUnreadable

_CONNECT_SECONDS: Final = 10.0
_READ_SECONDS: Final = 60.0
_FETCH_BYTES: Final = 1024 * 1024


async def fetched(url: str, addresses: Collection[str]) -> AsyncIterator[bytes]:
    """The bytes of a file at one of these addresses. Raises FileUnreadable."""
    connector = aiohttp.TCPConnector(resolver=_Pinned(addresses), use_dns_cache=False)
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS
    )
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            # A redirect could lead anywhere; the file must be where the user said.
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise FileUnreadable(f"{urlsplit(url).hostname} answered {answer.status}")
            async for chunk in answer.content.iter_chunked(_FETCH_BYTES):
                yield chunk
    except (aiohttp.ClientError, TimeoutError) as error:
        raise FileUnreadable(f"the file cannot be fetched: {type(error).__name__}") from error


class _Pinned(AbstractResolver):
    """Resolves every name to the addresses that were checked: what is dialled is what was seen."""

    def __init__(self, addresses: Collection[str]) -> None:
        self._addresses = tuple(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=_family(address), proto=0, flags=0
            )
            for address in self._addresses
            if family in {AddressFamily.AF_UNSPEC, _family(address)}
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _family(address: str) -> AddressFamily:
    return AddressFamily.AF_INET6 if ":" in address else AddressFamily.AF_INET
