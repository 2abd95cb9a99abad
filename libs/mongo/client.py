"""The database client: majority writes, short timeouts, and one database a service."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC
from typing import Any

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo.errors import PyMongoError

from libs.chassis.config import Settings
from libs.chassis.logging import get_logger

Document = dict[str, Any]
Client = AsyncIOMotorClient[Document]
Database = AsyncIOMotorDatabase[Document]

_OPTIONS: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=UTC)


def new_client(uri: str, name: str) -> Client:
    """A client with our defaults; values in the URI win.

    Writes are acknowledged by a majority with their journal, so that a claim survives the loss of
    the primary. Timeouts are short: callers retry, queues deliver again.
    """
    return AsyncIOMotorClient(
        uri,
        appname=name,
        w="majority",
        retryWrites=True,
        retryReads=True,
        tz_aware=True,
        serverSelectionTimeoutMS=5000,
        connectTimeoutMS=2000,
        socketTimeoutMS=30_000,
        heartbeatFrequencyMS=2000,
        maxPoolSize=50,
    )


async def open_database(settings: Settings, service: str, stack: AsyncExitStack) -> Database:
    """The service's own database, once it answers; closed when the stack unwinds."""
    client = new_client(settings.mongo_uri.get_secret_value(), service)
    stack.callback(client.close)
    await _wait_for(client)
    return client.get_database(f"{settings.database_prefix}{service}", codec_options=_OPTIONS)


async def _wait_for(client: Client) -> None:
    while True:
        try:
            await client.admin.command("ping")
        except PyMongoError as error:
            get_logger().warning("database_awaited", cause=type(error).__name__)
            await asyncio.sleep(0.2)
        else:
            return
