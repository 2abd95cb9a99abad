"""Fixtures every test may ask for: the real servers, once a session, and names of its own."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from deploy.local.ledger import Ledger
from tests.support import servers
from tests.support.object_store import running_object_store
from tests.support.servers import Server

# CI runs the same examples every time: a change is judged by itself, not by the draw. Elsewhere
# the draw goes on and finds more; what it finds becomes a case of its own.
settings.register_profile("ci", derandomize=True, deadline=None)
if servers.given("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def server_ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Hold the processes of this session's servers, and end them whatever happens."""
    with servers.guarded_ledger(tmp_path_factory.mktemp("servers")) as ledger:
        yield ledger


@pytest.fixture(scope="session")
def mongo_server(server_ledger: Ledger) -> Iterator[Server]:
    """Run the session's MongoDB. Who stops it starts it again before the test ends."""
    with servers.running_mongo(server_ledger) as server:
        yield server


@pytest.fixture(scope="session")
def rabbit_server(server_ledger: Ledger) -> Iterator[Server]:
    """Run the session's RabbitMQ. Who stops it starts it again before the test ends."""
    with servers.running_rabbit(server_ledger) as server:
        yield server


@pytest.fixture(scope="session")
def mongo_uri(request: pytest.FixtureRequest) -> str:
    """Return where MongoDB is: MONGO_URI when set, else this session's own."""
    return servers.given("MONGO_URI") or _address(request, "mongo_server")


@pytest.fixture(scope="session")
def amqp_url(request: pytest.FixtureRequest) -> str:
    """Return where RabbitMQ is: AMQP_URL when set, else this session's own."""
    return servers.given("AMQP_URL") or _address(request, "rabbit_server")


@pytest.fixture(scope="session")
def object_store() -> Iterator[dict[str, str]]:
    """Run an object store that speaks S3, and return the settings by which services find it."""
    with running_object_store() as settings:
        yield settings


@pytest.fixture(scope="module")
def database_prefix(mongo_uri: str) -> Iterator[str]:
    """Name databases for one test module; they are dropped when it is done."""
    prefix = servers.new_prefix()
    yield prefix
    servers.drop_databases(mongo_uri, prefix)


def _address(request: pytest.FixtureRequest, fixture: str) -> str:
    # Asked for by name, so that no server starts when the address was given.
    server: Server = request.getfixturevalue(fixture)
    return server.address
