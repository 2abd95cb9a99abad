"""When a message that a provider could not take is tried again (spec 6.2)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

MAX_ATTEMPTS: Final = 3
FIRST_SECONDS: Final = 1.0
FACTOR: Final = 4.0
# The wait is spread over this part of itself, so that a provider's pause does not end in a crowd.
SPREAD: Final = 0.25


@dataclass(frozen=True, slots=True)
class Attempt:
    """How often a message was tried, until when it may be, and a random number in [0, 1)."""

    count: int = 1
    expire_time: datetime | None = None
    jitter: float = 0.0


def next_attempt(attempt: Attempt, now: datetime) -> datetime | None:
    """When to try again: after 1 s, then 4 s; None after three attempts or past the expiry."""
    if attempt.count >= MAX_ATTEMPTS:
        return None
    wait = FIRST_SECONDS * FACTOR ** max(attempt.count - 1, 0)
    due = now + timedelta(seconds=wait * (1 + SPREAD * attempt.jitter))
    if attempt.expire_time is not None and due >= attempt.expire_time:
        return None
    return due
