"""The sandbox: the mail host and SMS centre everything is sent to, and what they saw."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

MOST = 10_000


@dataclass(frozen=True)
class Arrived:
    """A message as its recipient got it."""

    channel: str
    to: str
    subject: str
    body: str
    headers: frozenset[str]
    provider_message_id: str
    received_ms: int


class Sandbox:
    """Asks the sandbox over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url.rstrip("/")

    async def script(self, behaviours: Sequence[dict[str, Any]]) -> None:
        """Say how recipients behave from now on."""
        async with self._session.put(f"{self.url}/behaviours", json=behaviours) as answer:
            if answer.status != 200:
                raise RuntimeError(f"the sandbox refused the script: {await answer.text()}")

    async def messages(self, channel: str, since_ms: int) -> list[Arrived]:
        """What arrived on a channel since then."""
        query = {"channel": channel, "limit": str(MOST)}
        return [
            _arrived(message)
            for message in await self._get("/messages", query)
            if message["received_at"] >= since_ms
        ]

    async def part_times(self) -> list[int]:
        """When each SMS part arrived, in microseconds of a clock that never jumps."""
        times: list[int] = await self._get(
            "/timestamps", {"channel": "SMS", "clock": "steady", "accepted": "1"}
        )
        return times

    async def stats(self) -> dict[str, Any]:
        """Counts by channel, and how many reactions of recipients are still to come."""
        found: dict[str, Any] = await self._get("/stats", {})
        return found

    async def _get(self, path: str, query: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
        async with self._session.get(f"{self.url}{path}", params=query) as answer:
            answer.raise_for_status()
            return await answer.json()


def _arrived(message: dict[str, Any]) -> Arrived:
    return Arrived(
        message["channel"],
        message["to"],
        message["subject"],
        message["body"],
        frozenset(name.lower() for name, _ in message["headers"]),
        message["provider_message_id"],
        message["received_at"],
    )


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Sandbox]:
    """Open a session to the sandbox at a URL."""
    async with aiohttp.ClientSession() as session:
        yield Sandbox(session, url)
