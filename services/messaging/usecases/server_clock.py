"""The database server's clock as seen from here: bounds that never let a slot be early."""

from collections.abc import Callable

GRAIN_US = 1_000
"""The server stamps its replies in whole milliseconds."""
DRIFT_PER_SECOND_US = 100.0
"""Two clocks kept by NTP part by no more than this between two replies."""


class ServerClock:
    """Bounds of (local monotonic time - server time), narrowed by every reply.

    The server stamped a reply between sending and receiving; the intersection of all replies,
    widened by the drift since, holds the true offset. A slow reply narrows nothing, so it moves
    nothing; a reply that contradicts the bounds says that the server's clock was set, and counts
    alone. The local wall clock is never read.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._low = float("-inf")
        self._high = float("inf")
        self._seen = 0.0
        self.round_trip_us = 0.0

    def local_us(self) -> float:
        return self._monotonic() * 1e6

    def observe(self, sent_us: float, received_us: float, server_us: int) -> None:
        """Take a reply stamped `server_us`, asked for and received at these local times."""
        low, high = sent_us - server_us - GRAIN_US, received_us - server_us
        known_low, known_high = self._bounds(received_us)
        if max(low, known_low) <= min(high, known_high):
            low, high = max(low, known_low), min(high, known_high)
        self._low, self._high, self._seen = low, high, received_us
        self.round_trip_us += (received_us - sent_us - self.round_trip_us) / 4

    def width_us(self) -> float:
        """Return how far the true offset may be from the one used; infinite before a reply."""
        low, high = self._bounds(self.local_us())
        return high - low

    def due_in_us(self, server_us: int) -> float:
        """Return how long until `server_us` has certainly come; negative when it has."""
        now = self.local_us()
        return server_us + self._bounds(now)[1] - now

    def server_us(self) -> int:
        """Return the latest that the server's clock can show now."""
        now = self.local_us()
        return int(now - self._bounds(now)[0])

    def _bounds(self, now_us: float) -> tuple[float, float]:
        drift = (now_us - self._seen) * DRIFT_PER_SECOND_US / 1e6
        return self._low - drift, self._high + drift
