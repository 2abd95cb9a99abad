"""Processes are told apart by pid and start time, ended in order, and found by their tag."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import processes
from deploy.local.processes import Identity
from deploy.local.waiting import wait_until

STUBBORN = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "sys.stdout.write('ready'); sys.stdout.flush(); signal.pause()"
)


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        yield process
        process.kill()


def identity_of(child: "subprocess.Popen[bytes]") -> Identity:
    found = processes.identify(child.pid)
    assert found is not None
    return found


def test_running_process_is_recognised(child: "subprocess.Popen[bytes]") -> None:
    assert processes.is_running(identity_of(child))


def test_ended_process_is_not_running_though_nobody_waited_for_it(
    child: "subprocess.Popen[bytes]",
) -> None:
    identity = identity_of(child)
    child.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not processes.is_running(identity), 5)
    assert child.returncode is None  # still a zombie: its pid is in use


def test_same_pid_with_another_start_time_is_another_process(
    child: "subprocess.Popen[bytes]",
) -> None:
    known = identity_of(child)
    earlier = Identity(known.pid, known.start_ticks - 1)
    assert not processes.is_running(earlier)
    assert not processes.send(earlier, signal.SIGKILL)
    assert processes.end([earlier], grace_seconds=0) == []
    assert processes.is_running(known)


def test_end_asks_first_and_kills_nobody_who_obeys(child: "subprocess.Popen[bytes]") -> None:
    assert processes.end([identity_of(child)], grace_seconds=5) == []
    assert child.wait(5) == -signal.SIGTERM


def test_end_kills_who_ignores_the_request_and_names_him() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout is not None
        assert stubborn.stdout.read(5) == b"ready"
        identity = identity_of(stubborn)
        assert processes.end([identity], grace_seconds=0.2) == [identity]
        assert stubborn.wait(5) == -signal.SIGKILL


def test_tag_finds_the_process_that_carries_it_and_no_other(
    child: "subprocess.Popen[bytes]",
) -> None:
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    env = {processes.TAG_VARIABLE: "tag-of-this-test"}
    with subprocess.Popen(command, env=env, start_new_session=True) as tagged:
        found = processes.carrying("tag-of-this-test")
        assert found == [identity_of(tagged)]
        assert processes.carrying("tag-of-this-tes") == []
        tagged.kill()


def test_name_with_brackets_and_spaces_does_not_confuse_the_start_time(tmp_path: Path) -> None:
    odd = tmp_path / "odd) S 1 (name"
    odd.symlink_to(sys.executable)
    with subprocess.Popen([odd, "-c", "import signal; signal.pause()"]) as process:
        plain = identity_of(process)
        assert plain.start_ticks > 0
        assert processes.is_running(plain)
        process.kill()


def test_wait_until_asks_at_least_once_and_gives_up() -> None:
    assert wait_until(lambda: True, 0)
    assert not wait_until(lambda: False, 0)
