"""A circuit breaker: whether a provider is to be tried, from how it answered lately.

CLOSED tries it. After enough failures in a row it is OPEN and nobody calls it for a while; then it
is HALF_OPEN, and one window decides (Nygard, Release It!, 5.2).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FAILURES: Final = 5
"""Failures in a row that open it; a window counts once, however many messages it held."""
FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 60.0


class Circuit(StrEnum):
    """Where a breaker stands."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


@dataclass(slots=True)
class Breaker:
    """The breaker of one provider; every `now` is seconds of one monotonic clock."""

    failures: int = 0
    pause_seconds: float = 0.0
    _until: float = 0.0
    _is_probing: bool = False

    def circuit(self, now: float) -> Circuit:
        """Where it stands."""
        if not self.pause_seconds:
            return Circuit.CLOSED
        return Circuit.OPEN if now < self._until else Circuit.HALF_OPEN

    def admits(self, now: float) -> bool:
        """Whether the provider may be called now; a caller of a half-open one calls it at once."""
        circuit = self.circuit(now)
        if circuit is not Circuit.HALF_OPEN:
            return circuit is Circuit.CLOSED
        return not self._is_probing

    def begin(self, now: float) -> None:
        """Note that it is called: of a half-open one nobody else may be until it has answered."""
        self._is_probing = self.circuit(now) is Circuit.HALF_OPEN

    def succeed(self) -> None:
        """Note that it took something."""
        self.failures, self.pause_seconds, self._is_probing = 0, 0.0, False

    def fail(self, now: float) -> None:
        """Note that it did not answer, or could not take anything."""
        self.failures += 1
        was_probing, self._is_probing = self._is_probing, False
        if was_probing or (self.failures >= FAILURES and not self.pause_seconds):
            doubled = self.pause_seconds * 2 or FIRST_PAUSE_SECONDS
            self.pause_seconds = min(doubled, LONGEST_PAUSE_SECONDS)
            self._until = now + self.pause_seconds

    def give_up(self) -> None:
        """Note that a call ended without an answer of any kind, such as by a worker's end."""
        self._is_probing = False
