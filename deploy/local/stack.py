"""Bring a whole stack up, see how it is, and take it down without a trace."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local import environment, procfile, readiness, servers
from deploy.local.ledger import Ledger, Program
from deploy.local.ports import HOST, free_ports
from deploy.local.procfile import Deployable
from deploy.local.rabbitmq import Login
from deploy.local.server import ServerFailed
from deploy.local.waiting import wait_until

SERVE_SECONDS = 60.0
Listens = Mapping[Deployable, Mapping[str, str]]


class NotStarted(Exception):
    """The stack did not come up; what had been started is ended again."""


@dataclass(frozen=True)
class Layout:
    """Where a stack keeps its state, and what it runs."""

    folder: Path
    root: Path
    procfile: Path
    local_env: Path

    @property
    def env_file(self) -> Path:
        return self.folder / "env"


def up(layout: Layout, given: Mapping[str, str]) -> dict[str, str]:
    """Start the servers and every deployable, wait until all serve; return the exports.

    `given` may hold MONGO_URI and AMQP_URL. Raises NotStarted, ServerFailed, NoServerHere or
    BadProcfile; nothing is left running then.
    """
    with _fresh(layout) as ledger:
        table = procfile.read(layout.procfile)
        found = servers.prepare(ledger, given)
        found.start()
        listens = choose_addresses(table)
        # Kept apart from local.env: an export must never name a fixed address nobody serves on.
        chosen = {
            **environment.new_secrets(),
            **environment.addresses(listens),
            "MONGO_URI": found.mongo_uri,
            "AMQP_URL": found.amqp_url,
        }
        shared = {**environment.read_file(layout.local_env), **chosen}
        _start_all(ledger, layout.root, listens, shared)
        await_serving(ledger, listens)
        exports = environment.exported(chosen)
        environment.write_exports(layout.env_file, exports)
        return exports


def start_servers(layout: Layout, given: Mapping[str, str]) -> dict[str, str]:
    """Start MongoDB and RabbitMQ only, at the fixed addresses of local.env."""
    with _fresh(layout) as ledger:
        fixed = _fixed_ports(environment.read_file(layout.local_env))
        found = servers.prepare(ledger, given, fixed)
        found.start()
        exports = {"MONGO_URI": found.mongo_uri, "AMQP_URL": found.amqp_url}
        environment.write_exports(layout.env_file, exports)
        return exports


def down(layout: Layout) -> list[str]:
    """End exactly what this stack started, delete its data; return what had to be killed."""
    ledger = Ledger(layout.folder)
    with ledger.locked():
        killed = ledger.end_all()
        ledger.remove_data()
    return killed


def status(layout: Layout) -> dict[str, bool]:
    """Return every recorded process by name, and whether it still runs."""
    ledger = Ledger(layout.folder)
    running = {entry.name for entry in ledger.running()}
    return {entry.name: entry.name in running for entry in ledger.entries}


def choose_addresses(table: Sequence[Deployable]) -> Listens:
    """Give every address the table's lines name a free port of its own."""
    ports = iter(free_ports(sum(len(deployable.listens) for deployable in table)))
    return {
        deployable: {name: f"{HOST}:{next(ports)}" for name in deployable.listens}
        for deployable in table
    }


def await_serving(ledger: Ledger, listens: Listens, timeout_seconds: float = SERVE_SECONDS) -> None:
    """Wait until every deployable serves; raises NotStarted as soon as one has ended."""
    waiting = dict(listens)

    def all_serve() -> bool:
        running = {entry.name for entry in ledger.running()}
        for deployable in list(waiting):
            if deployable.name not in running:
                raise NotStarted(_complaint(ledger, deployable.name, "ended"))
            if readiness.is_serving(waiting[deployable]):
                del waiting[deployable]
        return not waiting

    if not wait_until(all_serve, timeout_seconds):
        what = f"did not serve within {timeout_seconds:.0f} s"
        raise NotStarted("\n".join(_complaint(ledger, late.name, what) for late in waiting))


@contextmanager
def _fresh(layout: Layout) -> Iterator[Ledger]:
    """Lend a ledger in which nothing runs yet; on any failure end what was started."""
    ledger = Ledger(layout.folder)
    with ledger.locked():
        if ledger.running():
            raise NotStarted("this stack is up already; `make down` ends it")
        ledger.end_all()
        ledger.remove_data()
        try:
            yield ledger
        except BaseException:
            ledger.end_all()
            ledger.remove_data()
            raise


def _start_all(ledger: Ledger, root: Path, listens: Listens, shared: Mapping[str, str]) -> None:
    for deployable, addresses in listens.items():
        env = {**environment.inherited(), **shared, **deployable.variables, **addresses}
        argv = _with_this_python(deployable.argv)
        ledger.start(Program(deployable.name, "service", argv, env, root))


def _with_this_python(argv: Sequence[str]) -> list[str]:
    return [sys.executable, *argv[1:]] if argv[0] == "python" else list(argv)


def _fixed_ports(local: Mapping[str, str]) -> servers.FixedPorts:
    mongo, amqp = urlsplit(local["MONGO_URI"]), urlsplit(local["AMQP_URL"])
    if not mongo.port or not amqp.port:
        raise ServerFailed("MONGO_URI and AMQP_URL in deploy/local.env must name their port")
    login = Login(amqp.username or "guest", amqp.password or "guest")
    return servers.FixedPorts(mongo.port, amqp.port, login)


def _complaint(ledger: Ledger, name: str, what: str) -> str:
    return f"{name} {what}; the end of {ledger.log_path(name)}:\n{ledger.log_tail(name)}"
