"""Processes told apart for certain: a pid alone may be reused, a pid with its start time not."""

import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.waiting import wait_until

# Every process we start carries this variable, and so do its children and theirs; that is how
# one that left its parent (epmd, a daemon) is still found. The value is random per stack.
TAG_VARIABLE = "TOUCHPOINT_STACK_TAG"

PROC = Path("/proc")
ENDED_STATES = frozenset("ZXx")


@dataclass(frozen=True)
class Identity:
    """One process: its pid and its start time in clock ticks since boot (proc(5), field 22)."""

    pid: int
    start_ticks: int


def boot_id() -> str:
    """Return the id of this boot; start times of another boot say nothing about this one."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Identity | None:
    """Return the identity of a running process; None when it ended or is a zombie."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in brackets and may hold spaces and brackets.
    fields = text.rpartition(")")[2].split()
    if fields[0] in ENDED_STATES:
        return None
    return Identity(pid, int(fields[19]))


def is_running(process: Identity) -> bool:
    return identify(process.pid) == process


def send(process: Identity, number: signal.Signals) -> bool:
    """Signal exactly this process; False when it has ended, whoever owns its pid now.

    The descriptor pins the process first and the start time is read after, so the pid cannot
    change hands between the check and the signal.
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        if not is_running(process):
            return False
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def end(processes: Iterable[Identity], grace_seconds: float) -> list[Identity]:
    """Send SIGTERM to all, wait, send SIGKILL to those left; return the ones that needed it."""
    asked = [process for process in processes if send(process, signal.SIGTERM)]
    wait_until(lambda: not any(map(is_running, asked)), grace_seconds)
    stubborn = [process for process in asked if send(process, signal.SIGKILL)]
    wait_until(lambda: not any(map(is_running, stubborn)), 5)
    return stubborn


def carrying(tag: str) -> list[Identity]:
    """Return every running process whose environment carries the tag, but for the caller."""
    marker = f"{TAG_VARIABLE}={tag}".encode()
    pids = (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())
    found = (identify(pid) for pid in pids if pid != os.getpid() and _carries(pid, marker))
    return [process for process in found if process is not None]


def _carries(pid: int, marker: bytes) -> bool:
    try:
        return marker in (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        # Ended meanwhile, or another user's: then it is not ours.
        return False
