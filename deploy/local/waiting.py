"""Wait for a condition with a deadline; the only pause in this package."""

import time
from collections.abc import Callable
from threading import Event

INTERVAL_SECONDS = 0.05


class NotInTime(Exception):
    """What was waited for did not come true before the deadline."""


def wait_until(claim: Callable[[], bool], timeout_seconds: float) -> bool:
    """Return True as soon as `claim()` holds, False when the time is over.

    The claim is asked at least once, so a timeout of zero is a plain question.
    """
    deadline = time.monotonic() + timeout_seconds
    pause = Event()
    while not claim():
        if time.monotonic() >= deadline:
            return False
        pause.wait(INTERVAL_SECONDS)
    return True
