"""One real server as a child process: start, stop, kill and restart it on the same port."""

import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from deploy.local.ledger import GRACE_SECONDS, Ledger, Program
from deploy.local.processes import end, identify
from deploy.local.waiting import NotInTime, wait_until

START_SECONDS = 60.0


class ServerFailed(Exception):
    """A server ended instead of serving, or did not serve in time; holds the end of its log."""


@dataclass(frozen=True)
class Recipe:
    """How to run a server, where clients find it, and how to know that it serves them."""

    program: Program
    address: str
    is_ready: Callable[[], bool]


class Server:
    """A server made from a recipe; data, port and credentials stay the same over restarts.

    All methods block; call them through `asyncio.to_thread` from a running loop.
    """

    def __init__(self, ledger: Ledger, recipe: Recipe, companion: "Server | None" = None) -> None:
        self.ledger = ledger
        self.recipe = recipe
        self.companion = companion
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.recipe.program.name

    @property
    def address(self) -> str:
        """The URI clients connect to, credentials included."""
        return self.recipe.address

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self, timeout_seconds: float = START_SECONDS) -> None:
        """Start and wait until clients are served; raises ServerFailed."""
        self.launch()
        self.wait_ready(timeout_seconds)

    def launch(self) -> None:
        """Start without waiting; a server already running is left alone."""
        if self.companion is not None:
            self.companion.start()
        if not self.is_running:
            self._child = self.ledger.start(self.recipe.program)

    def wait_ready(self, timeout_seconds: float = START_SECONDS) -> None:
        if not wait_until(self._has_settled, timeout_seconds):
            raise ServerFailed(self._complaint(f"did not serve within {timeout_seconds:.0f} s"))
        if not self.is_running:
            raise ServerFailed(self._complaint("ended instead of serving"))

    def stop(self, grace_seconds: float = GRACE_SECONDS["server"]) -> None:
        """Ask it to end, as an operator would; kill it when it does not within the grace."""
        child = self._child
        identity = identify(child.pid) if child is not None else None
        if identity is not None:
            end([identity], grace_seconds)
        self._reap()

    def kill(self) -> None:
        """End it at once, as a power cut would (SIGKILL)."""
        if self._child is not None and self.is_running:
            self._child.send_signal(signal.SIGKILL)
        self._reap()

    def restart(self, timeout_seconds: float = START_SECONDS) -> None:
        self.stop()
        self.start(timeout_seconds)

    def close(self) -> None:
        """Stop the server and what it brought with it."""
        self.stop()
        if self.companion is not None:
            self.companion.close()

    def _has_settled(self) -> bool:
        return not self.is_running or self.recipe.is_ready()

    def _reap(self) -> None:
        if self._child is None:
            return
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired as error:
            raise NotInTime(f"{self.name} survived SIGKILL for 10 s") from error
        self._child = None

    def _complaint(self, what: str) -> str:
        log = self.ledger.log_path(self.name)
        return f"{self.name} {what}; the end of {log}:\n{self.ledger.log_tail(self.name)}"
