"""The examples a newcomer copies from: they run, and say what the README shows."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from deploy.local.environment import inherited

pytestmark = pytest.mark.servers

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "examples" / "node"
SECONDS = 60.0


def run(argv: Sequence[str], variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        argv,
        cwd=ROOT,
        env={**inherited(), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def assert_told_the_whole_way(output: str, number: str) -> None:
    """One line for each step, and the text that was sent is the one that arrived."""
    pattern = (
        r"application  (?P<start>[0-9a-f]{8})[0-9a-f]{24}\n"
        rf"endpoint     ann-phone, {re.escape(number)}\n"
        r"accepted     SUCCESSFUL, message [0-9a-f]{32}\n"
        r"arrived      'Hello Ann! (?P<mark>[0-9a-f]{8})' from \+1555\d+\n"
    )
    found = re.fullmatch(pattern, output)
    assert found, output
    assert found["mark"] == found["start"]


def test_first_call_in_python(platform_variables: dict[str, str]) -> None:
    done = run(
        [sys.executable, "examples/python/first_call.py", "+15550100701"], platform_variables
    )
    assert done.returncode == 0, done.stderr
    assert_told_the_whole_way(done.stdout, "+15550100701")


def test_first_call_with_a_wrong_key_is_refused(platform_variables: dict[str, str]) -> None:
    variables = {**platform_variables, "TOUCHPOINT_SECRET_ACCESS_KEY": "wrong"}
    done = run([sys.executable, "examples/python/first_call.py"], variables)
    assert done.returncode != 0
    assert "UNAUTHENTICATED" in done.stderr
    assert platform_variables["TOUCHPOINT_SECRET_ACCESS_KEY"] not in done.stderr


@pytest.fixture
def node() -> str:
    """Where Node.js is. Without it or its packages a test is skipped; in CI that is a failure."""
    found = shutil.which("node")
    if found and (NODE / "node_modules" / "@grpc" / "grpc-js").is_dir():
        return found
    if inherited().get("CI") == "true":
        pytest.fail("Node.js or the packages of examples/node are missing; `make setup` gets them")
    pytest.skip("no Node.js, or no packages in examples/node")


@pytest.mark.node
def test_first_call_in_node(platform_variables: dict[str, str], node: str) -> None:
    done = run([node, "examples/node/first-call.js", "+15550100702"], platform_variables)
    assert done.returncode == 0, done.stderr
    assert_told_the_whole_way(done.stdout, "+15550100702")


@pytest.mark.node
def test_first_call_in_node_says_what_is_wrong(
    platform_variables: dict[str, str], node: str
) -> None:
    variables = {**platform_variables, "TOUCHPOINT_SECRET_ACCESS_KEY": "wrong"}
    done = run([node, "examples/node/first-call.js"], variables)
    assert done.returncode == 1
    assert "UNAUTHENTICATED" in done.stderr


def test_node_packages_are_pinned_without_an_address() -> None:
    lock = (NODE / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert '"integrity": "sha512-' in lock
