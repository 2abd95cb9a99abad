"""The ledger: everything started is written down, and a later command ends exactly that."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import processes
from deploy.local.environment import inherited
from deploy.local.ledger import Ledger, Program

PAUSE = [sys.executable, "-c", "import signal; signal.pause()"]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.end_all()


def start(
    ledger: Ledger, name: str, argv: list[str] = PAUSE, kind: str = "service"
) -> "subprocess.Popen[bytes]":
    return ledger.start(Program(name, kind, argv, inherited(), ledger.folder))


def test_another_command_sees_and_ends_what_was_started(ledger: Ledger) -> None:
    with start(ledger, "one") as one, start(ledger, "two", kind="server") as two:
        later = Ledger(ledger.folder)
        assert {entry.name: entry.pid for entry in later.running()} == {
            "one": one.pid,
            "two": two.pid,
        }
        assert later.end_all() == []
        assert one.wait(5) == two.wait(5) == -15
    assert Ledger(ledger.folder).entries == []


def test_foreign_process_that_got_the_pid_is_left_alone(ledger: Ledger) -> None:
    with start(ledger, "one") as child:
        path = ledger.folder / "processes.json"
        stored = json.loads(path.read_text())
        stored["tag"] = "another"
        stored["entries"][0]["start_ticks"] -= 1
        path.write_text(json.dumps(stored))
        later = Ledger(ledger.folder)
        assert later.running() == []
        later.end_all()
        assert child.poll() is None
        child.kill()


def test_entries_of_an_earlier_boot_are_forgotten(ledger: Ledger) -> None:
    with start(ledger, "one") as child:
        path = ledger.folder / "processes.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"boot_id": "earlier"}))
        assert Ledger(ledger.folder).entries == []
        child.kill()


def test_child_that_left_its_parent_is_ended_too(ledger: Ledger) -> None:
    leave = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)"
    with start(ledger, "parent", [sys.executable, "-W", "ignore", "-c", leave, *PAUSE]) as parent:
        assert parent.wait(10) == 0
    assert len(processes.carrying(ledger.tag)) == 1
    ledger.end_all()
    assert processes.carrying(ledger.tag) == []


def test_output_is_kept_and_its_end_can_be_shown(ledger: Ledger) -> None:
    shout = "import sys; print('to stdout'); sys.stdout.flush(); sys.exit('to stderr')"
    with start(ledger, "loud", [sys.executable, "-c", shout]) as loud:
        assert loud.wait(10) == 1
    assert ledger.log_tail("loud") == "to stdout\nto stderr"
    assert ledger.log_tail("loud", lines=1) == "to stderr"
    assert ledger.log_tail("never started") == ""


def test_restarted_process_replaces_its_entry(ledger: Ledger) -> None:
    with start(ledger, "one") as first:
        first.kill()
    with start(ledger, "one") as second:
        assert [entry.pid for entry in ledger.entries] == [second.pid]
        second.kill()
