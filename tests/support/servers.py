"""The real MongoDB and RabbitMQ for tests, by the very code `make up` starts them with."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from deploy.local import environment, guard, mongodb, rabbitmq
from deploy.local.ledger import Ledger
from deploy.local.server import Server

__all__ = [
    "Server",
    "drop_databases",
    "given",
    "guarded_ledger",
    "new_prefix",
    "running_mongo",
    "running_rabbit",
]


@contextmanager
def guarded_ledger(folder: Path) -> Iterator[Ledger]:
    """Lend a ledger whose processes end with the block, or with this process if it is killed."""
    ledger = Ledger(folder)
    folder.mkdir(parents=True, exist_ok=True)
    watcher = guard.start(folder)
    try:
        yield ledger
    finally:
        with ledger.locked():
            ledger.end_all()
            ledger.remove_data()
        watcher.kill()
        watcher.wait()


@contextmanager
def running_mongo(ledger: Ledger) -> Iterator[Server]:
    """Run a MongoDB of the test's own; `kill`, `stop`, `start`, `restart` it at will."""
    with _running(mongodb.mongo_server(ledger)) as server:
        yield server


@contextmanager
def running_rabbit(ledger: Ledger) -> Iterator[Server]:
    """Run a RabbitMQ of the test's own; `kill`, `stop`, `start`, `restart` it at will."""
    with _running(rabbitmq.rabbit_server(ledger)) as server:
        yield server


def given(variable: str) -> str:
    """Return MONGO_URI or AMQP_URL as the caller set it; empty when a server is ours to start."""
    return environment.inherited().get(variable, "")


def new_prefix() -> str:
    """Return a database prefix nobody else uses; at most 17 bytes of MongoDB's 63."""
    return f"test_{uuid.uuid4().hex[:12]}"


def drop_databases(mongo_uri: str, prefix: str) -> None:
    """Drop every database whose name starts with the prefix."""
    client: MongoClient[dict[str, Any]] = MongoClient(mongo_uri, serverSelectionTimeoutMS=5000)
    with client:
        for name in client.list_database_names():
            if name.startswith(prefix):
                client.drop_database(name)


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.close()
