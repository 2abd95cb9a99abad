"""The two servers of a stack: ours in its folder, or the ones MONGO_URI and AMQP_URL name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploy.local import mongodb, rabbitmq
from deploy.local.ledger import Ledger
from deploy.local.ports import is_free
from deploy.local.rabbitmq import Login
from deploy.local.server import START_SECONDS, Server, ServerFailed


@dataclass(frozen=True)
class FixedPorts:
    """Where the servers must listen when a table of fixed addresses says so."""

    mongo: int
    amqp: int
    login: Login


@dataclass(frozen=True)
class Servers:
    """Addresses for the clients, and the servers that are ours to stop (none, one or two)."""

    mongo_uri: str
    amqp_url: str
    mongo: Server | None
    rabbit: Server | None

    @property
    def own(self) -> Sequence[Server]:
        return [server for server in (self.mongo, self.rabbit) if server is not None]

    def start(self, timeout_seconds: float = START_SECONDS) -> None:
        """Start ours side by side, then wait for both; raises ServerFailed."""
        for server in self.own:
            server.launch()
        for server in self.own:
            server.wait_ready(timeout_seconds)

    def close(self) -> None:
        for server in self.own:
            server.close()


def prepare(ledger: Ledger, given: Mapping[str, str], fixed: FixedPorts | None = None) -> Servers:
    """Return the servers of a stack, ours not started; raises ServerFailed or NoServerHere.

    `given` may hold MONGO_URI and AMQP_URL: such a server is asked whether it answers and is
    otherwise left alone.
    """
    mongo = rabbit = None
    mongo_uri, amqp_url = given.get("MONGO_URI", ""), given.get("AMQP_URL", "")
    if mongo_uri:
        _require("MONGO_URI", reached=mongodb.can_be_reached(mongo_uri))
    else:
        mongo = mongodb.mongo_server(ledger, _checked(fixed.mongo) if fixed else None)
    if amqp_url:
        _require("AMQP_URL", reached=rabbitmq.can_be_reached(amqp_url))
    else:
        rabbit = _rabbit(ledger, fixed)
    return Servers(
        mongo.address if mongo else mongo_uri,
        rabbit.address if rabbit else amqp_url,
        mongo,
        rabbit,
    )


def _rabbit(ledger: Ledger, fixed: FixedPorts | None) -> Server:
    if fixed is None:
        return rabbitmq.rabbit_server(ledger)
    return rabbitmq.rabbit_server(ledger, _checked(fixed.amqp), fixed.login)


def _checked(port: int) -> int:
    if not is_free(port):
        raise ServerFailed(f"port {port} of deploy/local.env is taken by another process")
    return port


def _require(variable: str, *, reached: bool) -> None:
    # The value is not shown: it holds a password.
    if not reached:
        raise ServerFailed(
            f"nothing answers at the address in {variable}, or it refuses us;"
            " unset it to have a server started"
        )
