"""A real RabbitMQ of our own: its node name, port mapper, ports, cookie and data are private."""

import secrets
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.local import amqp
from deploy.local.environment import inherited
from deploy.local.ledger import Ledger, Program
from deploy.local.mongodb import NoServerHere
from deploy.local.ports import HOST, free_ports
from deploy.local.server import Recipe, Server

# Not /usr/sbin/rabbitmq-server: Debian's wrapper there changes to the system user and refuses
# everyone else; the program behind it runs as any user.
PLACES = ("/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/usr/local/lib/rabbitmq/sbin")
ASK_SECONDS = 2.0


@dataclass(frozen=True)
class Login:
    """The broker's one user, made when it starts with an empty data folder."""

    user: str
    password: str


@dataclass(frozen=True)
class _Node:
    folder: Path
    port: int
    mapper_port: int
    distribution_port: int
    login: Login

    @property
    def url(self) -> str:
        return f"amqp://{self.login.user}:{self.login.password}@{HOST}:{self.port}/"


def rabbitmq_path() -> Path:
    for place in PLACES:
        found = Path(place, "rabbitmq-server")
        if found.is_file():
            return found
    advice = (
        "Run `apt-get install rabbitmq-server`, or"
        if sys.platform == "linux" and shutil.which("apt-get")
        else "Run"
    )
    raise NoServerHere(
        f"No RabbitMQ on this machine. {advice} `docker compose -f deploy/compose.yaml up -d"
        " mongo rabbitmq` and set MONGO_URI and AMQP_URL."
    )


def rabbit_server(ledger: Ledger, port: int | None = None, login: Login | None = None) -> Server:
    """Return a broker, not started, on a free port or the given one, with its port mapper."""
    free, mapper_port, distribution_port = free_ports(3)
    login = login or Login("touchpoint", secrets.token_hex(16))
    folder = ledger.folder / "data" / "rabbitmq"
    node = _Node(folder, port or free, mapper_port, distribution_port, login)
    program = Program("rabbitmq", "server", [str(rabbitmq_path())], _variables(node), folder)
    _write_files(node)
    recipe = Recipe(program, node.url, lambda: can_be_reached(node.url))
    return Server(ledger, recipe, companion=_port_mapper(ledger, node))


def can_be_reached(url: str) -> bool:
    try:
        amqp.log_in(url, ASK_SECONDS)
    except amqp.NotAnswering:
        return False
    return True


def _port_mapper(ledger: Ledger, node: _Node) -> Server:
    """Return an epmd for this node alone; Erlang would start a shared one that outlives us."""
    argv = [shutil.which("epmd") or "epmd", "-port", str(node.mapper_port), "-address", HOST]
    program = Program("epmd", "companion", argv, inherited(), node.folder)
    return Server(ledger, Recipe(program, "", lambda: _listens(node.mapper_port)))


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), ASK_SECONDS):
            return True
    except OSError:
        return False


def _variables(node: _Node) -> dict[str, str]:
    folder = node.folder
    return {
        **inherited(),
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(node.mapper_port),
        "ERL_EPMD_ADDRESS": HOST,
        "RABBITMQ_NODENAME": f"touchpoint{node.port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": HOST,
        "RABBITMQ_NODE_PORT": str(node.port),
        "RABBITMQ_DIST_PORT": str(node.distribution_port),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        # Makes the script become the Erlang machine instead of a shell that waits for it, so
        # that the pid we know is the broker's and a signal reaches it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }


def _write_files(node: _Node) -> None:
    for name in ("mnesia", "log"):
        (node.folder / name).mkdir(parents=True, exist_ok=True)
    (node.folder / "enabled_plugins").write_text("[].\n")
    (node.folder / "none.conf").write_text("")
    cookie = node.folder / ".erlang.cookie"
    if not cookie.exists():
        cookie.touch(mode=0o600)
        cookie.write_text(secrets.token_hex(20))
        cookie.chmod(0o400)  # Erlang refuses a cookie that others may read
    settings = node.folder / "rabbitmq.conf"
    settings.touch(mode=0o600)
    settings.write_text(
        f"default_user = {node.login.user}\n"
        f"default_pass = {node.login.password}\n"
        "default_user_tags.administrator = true\n"
        "log.console = true\n"
        "log.console.level = info\n"
        "log.console.use_colors = off\n"
        "log.file = false\n"
        "disk_free_limit.absolute = 100MB\n"
    )
