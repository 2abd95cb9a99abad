"""Records of the DNS, asked for anew each time."""

from typing import Final

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from libs.chassis.listen import split_address
from services.messaging.domain.domain_checks import Answer

_SECONDS: Final = 5.0


class DnsRecords:
    """Asks the resolver at `address` (host:port), or the system's own when it is empty.

    A question has no answer after `seconds`.
    """

    def __init__(self, address: str = "", seconds: float = _SECONDS) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=not address)
        self._resolver.lifetime = seconds
        if address:
            host, port = split_address(address)
            self._resolver.nameservers, self._resolver.port = [host], port

    async def txt(self, host: str) -> Answer:
        """The texts at a name, each with its pieces joined (RFC 7208 3.3)."""
        return await self._ask(host, "TXT")

    async def mx(self, host: str) -> Answer:
        """The mail servers of a name, as `10 mail.example.com.`."""
        return await self._ask(host, "MX")

    async def _ask(self, host: str, kind: str) -> Answer:
        try:
            found = await self._resolver.resolve(f"{host}.", kind)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return Answer(host)
        except dns.exception.DNSException as error:
            return Answer(host, failure=type(error).__name__)
        return Answer(host, tuple(sorted(_text(one) for one in found)))


def _text(record: object) -> str:
    if isinstance(record, TXT):
        return b"".join(record.strings).decode("utf-8", "replace")
    return f"{record.preference} {record.exchange}" if isinstance(record, MX) else str(record)
