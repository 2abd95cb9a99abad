"""`up`, `status` and `down` from the command line, over stand-in deployables."""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local import environment, processes, readiness
from deploy.local.ledger import Ledger
from deploy.local.ports import free_port
from deploy.local.waiting import wait_until

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[3]
GOOD = {
    "campaigns": "GRPC_LISTEN=127.0.0.1:1 METRICS_LISTEN=127.0.0.1:2 {run} campaigns",
    "messaging-gateway": "GRPC_LISTEN=127.0.0.1:3 {run} messaging-gateway",
    "links": "HTTP_LISTEN=127.0.0.1:4 {run} links",
    "sandbox": "HTTP_LISTEN=127.0.0.1:5 SMTP_LISTEN=127.0.0.1:6 {run} sandbox",
}


@dataclass(frozen=True)
class Stack:
    """One stack in a folder of its own, driven as a developer drives it."""

    folder: Path
    variables: dict[str, str]

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def write(self, table: dict[str, str]) -> None:
        run = "python -m tests.support.stand_in"
        lines = [f"{name}: {command.format(run=run)}\n" for name, command in table.items()]
        (self.folder / "Procfile").write_text("".join(lines))

    def argv(self, *words: str) -> list[str]:
        options = ["--folder", self.state, "--procfile", self.folder / "Procfile"]
        options += ["--local-env", self.folder / "local.env"]
        return [sys.executable, "-m", "deploy.local", *map(str, options), *words]

    def env(self) -> dict[str, str]:
        return {**environment.inherited(), **self.variables, "STAND_IN_FOLDER": str(self.folder)}

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.argv(*words),
            env=self.env(),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    def exports(self) -> dict[str, str]:
        words = [shlex.split(line) for line in (self.state / "env").read_text().splitlines()]
        assert all(word[0] == "export" for word in words)
        return dict(pair.split("=", 1) for _, pair in words)

    def given_to(self, name: str) -> dict[str, str]:
        variables: dict[str, str] = json.loads((self.folder / f"{name}.json").read_text())
        return variables


@pytest.fixture
def stack(tmp_path: Path, mongo_uri: str, amqp_url: str) -> Iterator[Stack]:
    stack = Stack(tmp_path, {"MONGO_URI": mongo_uri, "AMQP_URL": amqp_url})
    local = f"LOG_LEVEL=DEBUG\nENDPOINTS_ADDR=127.0.0.1:50052\nMONGO_URI=mongodb://127.0.0.1:{free_port()}/?replicaSet=rs0\n"
    local += f"AMQP_URL=amqp://me:word@127.0.0.1:{free_port()}/\n"
    (tmp_path / "local.env").write_text(local)
    stack.write(GOOD)
    yield stack
    stack.command("down")


def tagged(stack: Stack) -> Callable[[], list[processes.Identity]]:
    tag = Ledger(stack.state).tag
    return lambda: processes.carrying(tag)


def test_up_serves_exports_and_goes_down_without_a_trace(stack: Stack) -> None:
    up = stack.command("up")
    assert up.returncode == 0, up.stderr
    exports = stack.exports()
    assert exports["MONGO_URI"] == stack.variables["MONGO_URI"]
    assert "TOUCHPOINT_GRPC_ENDPOINTS" not in exports  # fixed in local.env, but not started here
    assert readiness.grpc_is_serving(exports["TOUCHPOINT_GRPC_CAMPAIGNS"])
    assert readiness.grpc_is_serving(exports["TOUCHPOINT_GRPC_MESSAGING"])
    assert readiness.http_is_serving(exports["TOUCHPOINT_LINKS_URL"].removeprefix("http://"))
    status = stack.command("status")
    assert status.returncode == 0
    assert status.stdout.count("running") == len(GOOD)
    left = tagged(stack)
    assert len(left()) == len(GOOD)

    down = stack.command("down")
    assert (down.returncode, down.stdout) == (0, "Touchpoint is down.\n")
    assert left() == []
    assert sorted(path.name for path in stack.state.iterdir()) == ["lock", "log"]
    assert stack.command("status").returncode == 1
    assert not readiness.grpc_is_serving(exports["TOUCHPOINT_GRPC_CAMPAIGNS"])


def test_each_process_is_told_where_the_others_are_and_the_shared_keys(stack: Stack) -> None:
    assert stack.command("up").returncode == 0
    exports = stack.exports()
    campaigns, links = stack.given_to("campaigns"), stack.given_to("links")
    assert campaigns["GRPC_LISTEN"] == links["CAMPAIGNS_ADDR"]
    assert campaigns["LINKS_URL"] == f"http://{links['HTTP_LISTEN']}"
    assert campaigns["SMTP_ADDR"] == stack.given_to("sandbox")["SMTP_LISTEN"]
    assert campaigns["LOG_LEVEL"] == "DEBUG"
    assert "GRPC_LISTEN" not in links
    for name in environment.new_secrets():
        assert campaigns[name] == links[name] != ""
    assert exports["TOUCHPOINT_ACCESS_KEY_ID"] == campaigns["BOOTSTRAP_ACCESS_KEY_ID"]
    assert exports["TOUCHPOINT_SECRET_ACCESS_KEY"] == campaigns["BOOTSTRAP_SECRET_ACCESS_KEY"]


def test_second_up_is_refused_and_harms_nothing(stack: Stack) -> None:
    assert stack.command("up").returncode == 0
    before = tagged(stack)()
    again = stack.command("up")
    assert again.returncode == 1
    assert "up already" in again.stderr
    assert tagged(stack)() == before


def test_deployable_that_ends_fails_the_start_with_its_own_words(stack: Stack) -> None:
    stack.write({**GOOD, "analytics": "GRPC_LISTEN=127.0.0.1:7 {run} analytics --mode ends"})
    up = stack.command("up")
    assert up.returncode == 1
    assert "analytics ended" in up.stderr
    assert "this stand-in ends at once" in up.stderr
    assert not (stack.state / "env").exists()
    left = json.loads((stack.folder / "campaigns.json").read_text())[processes.TAG_VARIABLE]
    assert processes.carrying(left) == []


def test_status_tells_of_a_process_that_died_later(stack: Stack) -> None:
    assert stack.command("up").returncode == 0
    [victim] = [entry for entry in Ledger(stack.state).entries if entry.name == "links"]
    processes.end([victim.identity], 5)
    status = stack.command("status")
    assert status.returncode == 1
    assert "links                ended" in status.stdout


def test_down_ends_a_child_that_left_its_parent(stack: Stack) -> None:
    stack.write({"links": "HTTP_LISTEN=127.0.0.1:4 {run} links --mode leaves-child"})
    assert stack.command("up").returncode == 0
    left = tagged(stack)
    assert len(left()) == 2
    assert stack.command("down").returncode == 0
    assert left() == []


def test_servers_alone_listen_where_local_env_says(stack: Stack) -> None:
    fixed = environment.read_file(stack.folder / "local.env")
    stack.variables.clear()
    without = {"MONGO_URI": "", "AMQP_URL": ""}
    stack.variables.update(without)
    started = stack.command("servers")
    assert started.returncode == 0, started.stderr
    assert stack.exports() == {name: fixed[name] for name in without}
    left = tagged(stack)
    assert {entry.name for entry in Ledger(stack.state).running()} == {"mongod", "rabbitmq", "epmd"}
    assert stack.command("down").returncode == 0
    assert left() == []


def test_interrupted_up_leaves_nothing_running(stack: Stack) -> None:
    stack.write({**GOOD, "analytics": "GRPC_LISTEN=127.0.0.1:7 {run} analytics --mode unhealthy"})
    report = stack.folder / "analytics.json"
    with subprocess.Popen(
        stack.argv("up"), env=stack.env(), cwd=ROOT, stderr=subprocess.PIPE
    ) as up:
        assert wait_until(report.exists, 30)
        left = tagged(stack)
        assert len(left()) == len(GOOD) + 1
        up.send_signal(signal.SIGTERM)
        assert up.wait(30) != 0
    assert left() == []
