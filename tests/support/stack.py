"""The whole platform for tests that drive it from outside, started by the very `up` of users."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.local import guard
from deploy.local.environment import inherited
from examples.shop.stack import read_exports

ROOT = Path(__file__).resolve().parents[2]


class NotStarted(Exception):
    """`up` failed; the text is what it said."""


@contextmanager
def running_stack(folder: Path, given: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run everything in a folder of its own; yields the variables of its `env` file.

    `given` may name MONGO_URI and AMQP_URL. Everything ends with the block, or with this process
    if it is killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    watcher = guard.start(folder)
    try:
        _local(folder, given, "up")
        yield read_exports(folder / "env")
    finally:
        _local(folder, given, "down")
        watcher.kill()
        watcher.wait()


def _local(folder: Path, given: Mapping[str, str], command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local", "--folder", str(folder), command],
        cwd=ROOT,
        env={**inherited(), **given},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotStarted(f"{command}: {done.stderr or done.stdout}")
