"""What one stack has started: written down at once, so that any later command can end it."""

import contextlib
import fcntl
import json
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from deploy.local import processes
from deploy.local.processes import Identity
from deploy.local.waiting import wait_until

# The order in which a stack is ended: what others need goes last.
KINDS = ("service", "server", "companion")
GRACE_SECONDS = {"service": 20.0, "server": 20.0, "companion": 5.0}


@dataclass(frozen=True)
class Entry:
    """One started process; `kind` is one of KINDS."""

    name: str
    kind: str
    pid: int
    start_ticks: int

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.start_ticks)


@dataclass(frozen=True)
class Program:
    """What to start: arguments, the whole environment, and the working folder."""

    name: str
    kind: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path


class Ledger:
    """The processes of the stack in `folder`, kept in `folder/processes.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tag, self.entries = self._read()

    def log_path(self, name: str) -> Path:
        return self.folder / "log" / f"{name}.log"

    def log_tail(self, name: str, lines: int = 25) -> str:
        """Return the last lines a process wrote, for the message that says why it failed."""
        try:
            text = self.log_path(name).read_text(errors="replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def start(self, program: Program) -> "subprocess.Popen[bytes]":
        """Start a program in a session of its own with its output in its log, and record it."""
        log = self.log_path(program.name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = subprocess.Popen(
                program.argv,
                env={**program.env, processes.TAG_VARIABLE: self.tag},
                cwd=program.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # A child that ended at once is a zombie until we wait for it: nothing to record then.
        identity = processes.identify(child.pid)
        if identity is not None:
            self._record(Entry(program.name, program.kind, **asdict(identity)))
        return child

    def running(self) -> list[Entry]:
        return [entry for entry in self.entries if processes.is_running(entry.identity)]

    def end_all(self) -> list[str]:
        """End everything this stack started; return the names that had to be killed."""
        killed = []
        for kind in KINDS:
            entries = [entry for entry in self.entries if entry.kind == kind]
            left = processes.end([entry.identity for entry in entries], GRACE_SECONDS[kind])
            killed += [entry.name for entry in entries if entry.identity in left]
        for stray in processes.carrying(self.tag):
            processes.send(stray, signal.SIGKILL)
        wait_until(lambda: not processes.carrying(self.tag), 5)
        self.entries = []
        self._path.unlink(missing_ok=True)
        return killed

    def remove_data(self) -> None:
        """Delete what the servers stored and the secrets; the logs stay."""
        shutil.rmtree(self.folder / "data", ignore_errors=True)
        (self.folder / "env").unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Let one command at a time change this stack; a second one waits."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self.tag, self.entries = self._read()
            yield

    @property
    def _path(self) -> Path:
        return self.folder / "processes.json"

    def _read(self) -> tuple[str, list[Entry]]:
        try:
            stored = json.loads(self._path.read_text())
        except FileNotFoundError:
            return secrets.token_hex(16), []
        entries = [Entry(**entry) for entry in stored["entries"]]
        if stored["boot_id"] != processes.boot_id():
            entries = []
        return stored["tag"], entries

    def _record(self, entry: Entry) -> None:
        others = [known for known in self.entries if known.name != entry.name]
        self.entries = [*others, replace(entry)]
        stored = {
            "tag": self.tag,
            "boot_id": processes.boot_id(),
            "entries": [asdict(known) for known in self.entries],
        }
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(stored, indent=1))
        draft.replace(self._path)
