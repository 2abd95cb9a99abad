"""`make demo` in a smaller size: its own checks hold, and what it tells the user to try works."""

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.environment import inherited

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]

ROOT = Path(__file__).resolve().parents[2]
PEOPLE = 450
SECONDS = 240.0
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Told:
    """What a demo said, and its chart."""

    code: int
    text: str
    chart: Path

    @property
    def checks(self) -> dict[str, bool]:
        """Every claim, and whether it held; `?` is a time an overloaded machine cannot take."""
        found = re.findall(r"^  (ok|FAILS|\?) +(\S.*?) *$", self.text, re.MULTILINE)
        return {claim: mark != "FAILS" for mark, claim in found}


def tell(variables: Mapping[str, str], chart: Path) -> Told:
    argv = [sys.executable, "-m", "examples.shop", "--people", str(PEOPLE), "--chart", str(chart)]
    done = run(argv, variables)
    return Told(done.returncode, done.stdout + done.stderr, chart)


def run(argv: list[str], variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        argv,
        cwd=ROOT,
        env={**inherited(), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


@pytest.fixture(scope="module")
def told(platform_variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Told:
    return tell(platform_variables, tmp_path_factory.mktemp("demo") / "campaign.png")


def test_every_check_holds(told: Told) -> None:
    assert told.code == 0, told.text
    assert told.checks, told.text
    assert all(told.checks.values()), told.text
    for claim in (
        "whoever can be reached has exactly one message",
        "everybody else has none, and the ledger says why",
        "targeted = sent + every reason not to",
        "never more than 20 SMS parts a second",
    ):
        assert claim in told.checks


def test_reads_well_without_a_terminal(told: Told) -> None:
    assert "\x1b" not in told.text
    assert "\r" not in told.text
    assert re.search(r"sent [\d,]+ of [\d,]+ +delivered [\d,]+ +skipped \d+ +SMS \d+/20", told.text)


def test_says_why_two_people_are_in_or_out(told: Told) -> None:
    assert "Aiko Tanaka (u-0001-email) is in:" in told.text
    assert "Ben Carter (u-0002-sms) is out:" in told.text


def test_the_chart_is_an_image(told: Told) -> None:
    assert told.chart.read_bytes().startswith(PNG)
    assert told.chart.stat().st_size > 20_000


def test_what_to_try_next_works(told: Told, platform_variables: dict[str, str]) -> None:
    commands = re.findall(r"^ {5}(\S.*)$", told.text, re.MULTILINE)
    assert len(commands) == 3, told.text
    mail, why, call = commands
    assert "aiko.1@example.com" in _output(mail, platform_variables)
    assert "SKIPPED" in _output(why, platform_variables)
    assert "arrived      'Hello Ann!" in _output(call, platform_variables)


def _output(command: str, variables: Mapping[str, str]) -> str:
    # The test's platform is not the one of .touchpoint, so its variables are given instead of read.
    prefix = ". .touchpoint/env && .venv/bin/python "
    if command.startswith(prefix):
        command = f"{shlex.quote(sys.executable)} {command.removeprefix(prefix)}"
    done = run(["sh", "-c", command], variables)
    assert done.returncode == 0, done.stderr
    return done.stdout
