"""Finds the running platform, or starts one as `make up` does."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.environment import inherited

ROOT: Final = Path(__file__).resolve().parents[2]
ENV_FILE: Final = ROOT / ".touchpoint" / "env"


class NoPlatform(Exception):
    """The platform could not be started; the text says why."""


@dataclass(frozen=True)
class Found:
    """A running platform: its variables, and whether this program started it."""

    variables: Mapping[str, str]
    started_here: bool


def find_or_start() -> Found:
    """Use the platform the environment names, else the one in .touchpoint, else start one."""
    given = inherited()
    if "TOUCHPOINT_GRPC_APPLICATIONS" in given:
        return Found(given, started_here=False)
    is_up = _local("status").returncode == 0 and ENV_FILE.exists()
    if not is_up:
        _start()
    return Found(read_exports(ENV_FILE), started_here=not is_up)


def read_exports(path: Path) -> dict[str, str]:
    """The variables of a file of `export NAME=value` lines, quoted as for a shell."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (shlex.split(line.removeprefix("export ")) for line in lines if line.strip())
    return dict(pair[0].split("=", 1) for pair in pairs)


def _start() -> None:
    _local("down")  # what a stack that ended halfway has left
    up = _local("up")
    if up.returncode:
        raise NoPlatform(up.stderr.strip() or up.stdout.strip())


def _local(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 (our own supervisor, no word of it from outside)
        [sys.executable, "-m", "deploy.local", command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
