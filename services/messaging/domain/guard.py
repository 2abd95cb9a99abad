"""When a campaign's run is stopped by itself: too many bounces, complaints or failures."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from services.messaging.domain.ledger import Reason, State

_TRIED: Final = frozenset({State.SENT, State.DELIVERED, State.FAILED})
_BOUNCES: Final = frozenset({Reason.HARD_BOUNCE, Reason.SOFT_BOUNCE})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Per cent of the messages that were tried; 0 never stops. `least` must have been tried."""

    bounce_percent: float = 10.0
    complaint_percent: float = 0.5
    failure_percent: float = 50.0
    least: int = 1000


def why_stopped(
    counts: Iterable[tuple[State, Reason, int]], complaints: int, thresholds: Thresholds
) -> str:
    """What is above its threshold, in words; empty when nothing is.

    Complaints are of mails that had arrived; bounces are failures too.
    """
    tried = bounces = failures = 0
    for state, reason, count in counts:
        tried += count if state in _TRIED else 0
        failures += count if state is State.FAILED else 0
        bounces += count if state is State.FAILED and reason in _BOUNCES else 0
    if tried < max(thresholds.least, 1):
        return ""
    for name, count, most in (
        ("bounces", bounces, thresholds.bounce_percent),
        ("complaints", complaints, thresholds.complaint_percent),
        ("failures", failures, thresholds.failure_percent),
    ):
        share = 100 * count / tried
        if most and share > most:
            return f"{name}: {count} of {tried} are {share:.1f} %, above {most:g} %"
    return ""
