"""A sandbox of its own for each test module, on free ports, and a client for its HTTP side."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import pytest
from pydantic import SecretStr

from libs.smpp.client import Account, Client, Deliver, Mode
from libs.smpp.codes import CommandStatus
from libs.smpp.pdu import DeliverSm
from libs.smpp.session import Limits
from services.sandbox.config import Settings
from services.sandbox.setup import Ports, opened

T = TypeVar("T")
FREE = "127.0.0.1:0"


@dataclass(frozen=True)
class Box:
    """An opened sandbox and the means to speak with it."""

    ports: Ports
    http: aiohttp.ClientSession

    async def get(self, path: str, **query: str | int) -> Any:
        async with self.http.get(path, params=query) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json(content_type=None)

    async def put(self, path: str, document: object, status: int = 200) -> Any:
        async with self.http.put(path, json=document) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def reset(self) -> None:
        await self.put("/behaviours", [])
        await self.put("/carriers", [])
        async with self.http.delete("/messages?pending=1") as answer:
            assert answer.status == 204

    def client(
        self,
        on_deliver: Deliver | None = None,
        mode: Mode = Mode.TRANSCEIVER,
        limits: Limits | None = None,
    ) -> Client:
        account = Account("127.0.0.1", self.ports.smpp, "sandbox", "sandbox", mode=mode)
        return Client(account, on_deliver or accept, limits)


async def accept(_: DeliverSm) -> CommandStatus:
    return CommandStatus.ESME_ROK


async def eventually(check: Callable[[], Awaitable[T | None]], seconds: float = 10) -> T:
    """The first true value of `check`, asked every 20 ms until the deadline."""
    async with asyncio.timeout(seconds):
        while True:
            value = await check()
            if value:
                return value
            await asyncio.sleep(0.02)


def settings(**changes: Any) -> Settings:
    names = ("smtp_listen", "smpp_listen", "http_listen", "apns_listen", "push_listen")
    ports = dict.fromkeys(names, FREE)
    given = {"smpp_password": SecretStr("sandbox"), "smpp_system_id": "sandbox"}
    return Settings(**{**ports, **given, **changes})


@asynccontextmanager
async def box_of(config: Settings) -> AsyncIterator[Box]:
    async with AsyncExitStack() as stack:
        ports = await opened(config, stack)
        base = f"http://127.0.0.1:{ports.http}"
        http = await stack.enter_async_context(aiohttp.ClientSession(base))
        yield Box(ports, http)


@pytest.fixture(scope="module")
async def shared_box() -> AsyncIterator[Box]:
    async with box_of(settings()) as made:
        yield made


@pytest.fixture
async def box(shared_box: Box) -> Box:
    await shared_box.reset()
    return shared_box
