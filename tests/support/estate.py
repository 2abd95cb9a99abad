"""A whole installation as real processes, any of which a test may kill and start again."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import environment, guard, mongodb, rabbitmq, readiness
from deploy.local.ledger import Ledger, Program
from deploy.local.ports import HOST, free_ports
from deploy.local.procfile import Deployable, read
from deploy.local.server import Recipe, Server
from deploy.local.stack import choose_addresses

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Plan:
    """How many of each process, by its name in the Procfile, and settings that differ."""

    copies: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    # A process that takes times for the test runs before those it measures, where that is allowed.
    instrument: str = ""


@dataclass(frozen=True)
class Estate:
    """Every process by name (`sms-2` is the second sms worker), and the shared settings."""

    servers: Mapping[str, Server]
    env: Mapping[str, str]
    folder: Path

    def address(self, service: str) -> str:
        """Where a gRPC service listens."""
        return self.env[f"{service.upper()}_ADDR"]

    def log(self, name: str) -> str:
        """What a process has written."""
        return (self.folder / "log" / f"{name}.log").read_text(errors="replace")


@contextmanager
def estate(plan: Plan | None = None) -> Iterator[Estate]:
    """Run an installation; everything of it ends with the block."""
    chosen = plan or Plan()
    folder = Path(tempfile.mkdtemp(prefix="touchpoint-estate-"))
    ledger = Ledger(folder)
    watcher = guard.start(folder)
    servers: dict[str, Server] = {}
    try:
        yield _started(ledger, folder, chosen, servers)
    finally:
        with ledger.locked():
            ledger.end_all()
            ledger.remove_data()
        for server in servers.values():
            server.close()  # they have ended: this collects their exit codes
        watcher.kill()
        watcher.wait()


def _started(ledger: Ledger, folder: Path, plan: Plan, servers: dict[str, Server]) -> Estate:
    mongo, rabbit = mongodb.mongo_server(ledger), rabbitmq.rabbit_server(ledger)
    servers |= {"mongo": mongo, "rabbit": rabbit}
    for server in (mongo, rabbit):
        server.launch()
    for server in (mongo, rabbit):
        server.wait_ready()
    table = [d for d in read(ROOT / "deploy" / "Procfile") if d.name not in plan.without]
    listens = choose_addresses(table)
    env = {
        **environment.inherited(),
        **environment.read_file(ROOT / "deploy" / "local.env"),
        **environment.new_secrets(),
        **environment.addresses(listens),
        "MONGO_URI": mongo.address,
        "AMQP_URL": rabbit.address,
        **plan.settings,
    }
    for deployable in table:
        for number in range(plan.copies.get(deployable.name, 1)):
            name = deployable.name if number == 0 else f"{deployable.name}-{number + 1}"
            own = listens[deployable] if number == 0 else _own_addresses(deployable)
            servers[name] = _server(ledger, name, deployable, {**env, **own}, own)
    for server in servers.values():
        server.launch()
    for server in servers.values():
        server.wait_ready()
    if plan.instrument:
        _prefer(ledger, plan.instrument)
    return Estate(servers, env, folder)


def _prefer(ledger: Ledger, name: str) -> None:
    pid = next(entry.pid for entry in ledger.entries if entry.name == name)
    with contextlib.suppress(PermissionError):  # not root: it runs like the others
        os.setpriority(os.PRIO_PROCESS, pid, -10)


def _own_addresses(deployable: Deployable) -> dict[str, str]:
    ports = iter(free_ports(len(deployable.listens)))
    return {name: f"{HOST}:{next(ports)}" for name in deployable.listens}


def _server(
    ledger: Ledger,
    name: str,
    deployable: Deployable,
    env: Mapping[str, str],
    own: Mapping[str, str],
) -> Server:
    argv = [sys.executable, *deployable.argv[1:]]
    other: dict[str, Any] = {
        key: value for key, value in deployable.variables.items() if key not in own
    }
    program = Program(name, "service", argv, {**env, **other}, ROOT)
    return Server(ledger, Recipe(program, "", lambda: readiness.is_serving(own)))
