"""A database, a bus, a sandbox and an application for the tests of the channel workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from libs.bus.publisher import Publisher
from libs.mongo.client import Database, open_database
from services.messaging.config import Settings
from services.messaging.store.schema import prepare
from tests.support.desk import Desk, Events, events_consumer, publisher, worker
from tests.support.running import common
from tests.support.sandboxes import Sandbox, sandbox


@pytest.fixture(scope="module")
def given(mongo_uri: str, amqp_url: str, database_prefix: str) -> dict[str, Any]:
    return common(
        mongo_uri, amqp_url, database_prefix, links_url="https://links.example", smtp_addr="x:1"
    )


@pytest.fixture(scope="module")
async def ledger_database(given: dict[str, Any]) -> AsyncIterator[Database]:
    async with AsyncExitStack() as stack:
        made = await open_database(Settings(**given), "messaging", stack)
        await prepare(made)
        yield made


@pytest.fixture(scope="module")
async def bus(amqp_url: str) -> AsyncIterator[Publisher]:
    async with publisher(amqp_url) as made:
        yield made


@pytest.fixture(scope="module")
async def events(amqp_url: str) -> AsyncIterator[Events]:
    found, stop = Events(), asyncio.Event()
    consumer = events_consumer(amqp_url, found)
    async with asyncio.TaskGroup() as group:
        group.create_task(consumer.run(stop))
        yield found
        stop.set()


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Sandbox]:
    async with sandbox() as box:
        yield box


@pytest.fixture
async def box(shared: Sandbox) -> Sandbox:
    await shared.reset()
    return shared


@pytest.fixture
async def desk(ledger_database: Database, bus: Publisher, box: Sandbox) -> AsyncIterator[Desk]:
    made = Desk(ledger_database, bus)
    yield made
    # Later tests share the sandbox: no link of this application may take their texts.
    await ledger_database["channels"].delete_many({"app_id": made.app_id})


@pytest.fixture(scope="module")
async def workers(given: dict[str, Any], ledger_database: Database) -> AsyncIterator[None]:
    async with worker(given, "email"), worker(given, "sms"):
        yield
