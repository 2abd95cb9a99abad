"""What adapters over HTTP share: one client, many requests at a time, plain answers."""

import ssl
from abc import abstractmethod
from dataclasses import dataclass
from typing import Final

import httpx

from services.messaging.adapters.side_by_side import NotReached, SideBySide
from services.messaging.domain.outbound import Outbound, OutboundPush
from services.messaging.domain.outcomes import Answer, Status

# Nothing of the request was written when one of these is raised.
_BEFORE: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_DETAIL_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class PushService:
    """Where a service is: `https://host[:port]`, and how long it may take over a request.

    `ca_file` names certificates to trust in the place of the system's.
    """

    url: str
    timeout_seconds: float = 20.0
    ca_file: str = ""
    speaks_http2: bool = False

    def tls(self) -> ssl.SSLContext:
        """A context that trusts who is to be trusted."""
        return ssl.create_default_context(cafile=self.ca_file or None)


class HttpAdapter(SideBySide):
    """Requests over one client."""

    def __init__(self, service: PushService, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        # A clear connection has no ALPN to agree on HTTP/2: it is known beforehand (RFC 9113, 3.3).
        is_clear = service.url.startswith("http://")
        self.client = httpx.AsyncClient(
            base_url=service.url,
            http1=not (service.speaks_http2 and is_clear),
            http2=service.speaks_http2,
            verify=tls or service.tls(),
            timeout=service.timeout_seconds,
            limits=httpx.Limits(max_connections=4 if service.speaks_http2 else 64),
            trust_env=False,
        )

    async def close(self) -> None:
        await self.client.aclose()

    async def submit(self, message: Outbound) -> Answer:
        try:
            return await self.post(message)
        except _BEFORE as error:
            raise NotReached from error
        except httpx.HTTPError as error:
            # Its text may hold the address.
            return Answer(Status.UNKNOWN_FAILURE, detail=type(error).__name__)

    @abstractmethod
    async def post(self, message: Outbound) -> Answer:
        """Hand one message over. Raises httpx.HTTPError when no answer came."""


class PushAdapter(HttpAdapter):
    """An adapter of notifications."""

    async def post(self, message: Outbound) -> Answer:
        if not isinstance(message, OutboundPush):
            raise TypeError("a push service takes notifications alone")
        return await self.push(message)

    @abstractmethod
    async def push(self, message: OutboundPush) -> Answer:
        """Hand one notification over. Raises httpx.HTTPError when no answer came."""


def told(response: httpx.Response, *words: str) -> str:
    """An answer in a line: its status and what the service says of it."""
    said = " ".join(word for word in words if word)
    return f"{response.status_code} {said}".strip()[:_DETAIL_LENGTH]


def json_of(response: httpx.Response) -> dict[str, object]:
    """The JSON object of an answer; empty when it holds none."""
    try:
        read = response.json()
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
