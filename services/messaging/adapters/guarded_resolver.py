"""Names to addresses for URLs of users: what is dialled is what was checked (SSRF)."""

from collections.abc import Collection
from socket import AddressFamily

from aiohttp.abc import AbstractResolver, ResolveResult

from libs.chassis.urls import check_url


class GuardedResolver(AbstractResolver):
    """Resolves names to public addresses alone, but for those of hosts an operator trusts."""

    def __init__(self, field: str, allowed_hosts: Collection[str]) -> None:
        self._field = field
        self._allowed = allowed_hosts

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises UrlForbidden."""
        addresses = await check_url(self._field, f"https://{host}:{port}", self._allowed)
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=_family(address), proto=0, flags=0
            )
            for address in addresses
            if family in {AddressFamily.AF_UNSPEC, _family(address)}
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _family(address: str) -> AddressFamily:
    return AddressFamily.AF_INET6 if ":" in address else AddressFamily.AF_INET
