"""A sandbox in the test's own loop, scripted and read over its HTTP side."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from pydantic import SecretStr

from services.sandbox.config import Settings
from services.sandbox.setup import Ports, opened

T = TypeVar("T")
FREE = "127.0.0.1:0"


@dataclass(frozen=True)
class Sandbox:
    """An opened sandbox."""

    ports: Ports
    http: aiohttp.ClientSession

    async def behave(self, *behaviours: dict[str, Any]) -> None:
        """Put a list of behaviours in force."""
        async with self.http.put("/behaviours", json=list(behaviours)) as answer:
            assert answer.status == 200, await answer.text()

    async def messages(self, channel: str, to: str = "*") -> list[dict[str, Any]]:
        query = {"channel": channel, "to": to, "limit": "1000"}
        async with self.http.get("/messages", params=query) as answer:
            assert answer.status == 200, await answer.text()
            return list(await answer.json(content_type=None))

    async def counts(self, channel: str) -> dict[str, int]:
        async with self.http.get("/counts", params={"channel": channel}) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json(content_type=None))

    async def inbound(self, sender: str, to: str, text: str) -> None:
        """Have a person write to a number of the application's."""
        document = {"from": sender, "to": to, "text": text}
        async with self.http.post("/inbound", json=document) as answer:
            assert answer.status == 202, await answer.text()

    async def reset(self) -> None:
        await self.behave()
        async with self.http.delete("/messages?pending=1") as answer:
            assert answer.status == 204


@asynccontextmanager
async def sandbox(**changes: Any) -> AsyncIterator[Sandbox]:
    """Open a sandbox on free ports; `changes` are settings of it."""
    given: dict[str, Any] = {
        "smtp_listen": FREE,
        "smpp_listen": FREE,
        "http_listen": FREE,
        "apns_listen": FREE,
        "push_listen": FREE,
        "smpp_system_id": "sandbox",
        "smpp_password": SecretStr("sandbox"),
    }
    async with AsyncExitStack() as stack:
        ports = await opened(Settings(**{**given, **changes}), stack)
        base = f"http://127.0.0.1:{ports.http}"
        http = await stack.enter_async_context(aiohttp.ClientSession(base))
        yield Sandbox(ports, http)


async def eventually(check: Callable[[], Awaitable[T | None]], seconds: float = 30) -> T:
    """The first true value of `check`, asked every 20 ms until the deadline."""
    async with asyncio.timeout(seconds):
        while True:
            value = await check()
            if value:
                return value
            await asyncio.sleep(0.02)
