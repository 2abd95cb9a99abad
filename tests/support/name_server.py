"""A DNS server on loopback (RFC 1035, UDP) that answers from a table."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = dict[tuple[str, str], list[str]]
"""Records by name and type, in the words of a zone file."""


@dataclass
class NameServer:
    """Answers what `zone` has; names in `broken` get SERVFAIL."""

    address: str
    zone: Zone = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        self._transport.sendto(answer_of(self._server, query).to_wire(), addr)


def answer_of(server: NameServer, query: dns.message.Message) -> dns.message.Message:
    """The answer to a query, as an authority for everything gives it."""
    question, answer = query.question[0], dns.message.make_response(query)
    answer.flags |= dns.flags.RA
    name, kind = question.name.to_text(omit_final_dot=True), question.rdtype
    records: Mapping[tuple[str, str], list[str]] = server.zone
    if name in server.broken:
        answer.set_rcode(dns.rcode.SERVFAIL)
    elif found := records.get((name, dns.rdatatype.to_text(kind))):
        answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, found))
    elif not any(known == name for known, _ in records):
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer


@asynccontextmanager
async def name_server() -> AsyncIterator[NameServer]:
    """A running server on a free port."""
    server = NameServer("")
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Protocol(server), local_addr=("127.0.0.1", 0)
    )
    host, port = transport.get_extra_info("sockname")
    server.address = f"{host}:{port}"
    try:
        yield server
    finally:
        transport.close()
