"""What adapters over HTTP share: one client, many requests at a time, plain answers."""

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import httpx

from services.messaging.domain.outbound import Answered, Outbound, OutboundPush, Turn
from services.messaging.domain.outcomes import Answer, Status

AWAY_SECONDS: Final = 1.0
"""A service that could not be reached is left alone this long."""
NOT_CALLED: Final = Answer(Status.NOT_CALLED)
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


class HttpAdapter(ABC):
    """Sends the messages of a window side by side over one client."""

    def __init__(self, service: PushService, tls: ssl.SSLContext | None = None) -> None:
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
        self._away_until = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def run(self) -> None:
        """Keep the client until cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.client.aclose()

    async def ready(self) -> bool:
        """Whether the service is to be tried; one that was away is left alone for a second."""
        return asyncio.get_running_loop().time() >= self._away_until

    async def send(self, messages: Sequence[Outbound], turn: Turn | None = None) -> list[Answer]:
        """Submit side by side; answers in the order of the messages."""
        async with asyncio.TaskGroup() as group:
            tasks = []
            for one in messages:
                turns = [await turn() for _ in range(self.parts_of(one))] if turn else []
                tasks.append(group.create_task(self._one(one, turns)))
        return [task.result() for task in tasks]

    async def _one(self, message: Outbound, turns: Sequence[Answered]) -> Answer:
        try:
            return await self.submit(message)
        except _BEFORE:
            self._away_until = asyncio.get_running_loop().time() + AWAY_SECONDS
            return NOT_CALLED
        except httpx.HTTPError as error:
            # Its text may hold the address.
            return Answer(Status.UNKNOWN_FAILURE, detail=type(error).__name__)
        finally:
            for answered in turns:
                answered()

    def parts_of(self, _: Outbound) -> int:
        """How many places of a rate a message takes."""
        return 1

    @abstractmethod
    async def submit(self, message: Outbound) -> Answer:
        """Hand one message over. Raises httpx.HTTPError when no answer came."""


class PushAdapter(HttpAdapter):
    """An adapter of notifications."""

    async def submit(self, message: Outbound) -> Answer:
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
