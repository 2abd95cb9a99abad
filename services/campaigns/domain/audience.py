"""Who gets what: the delivery decision for one member of the segment (spec 8.4, steps 2 to 5)."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.campaigns.domain.campaign import Definition, QuietTime

COHORTS = 100
HOLDOUT = "holdout"

# The counter of spec 10.4 that belongs to each refusal.
METRICS = {
    "INACTIVE": "ENDPOINT_INACTIVE",
    "OPT_OUT": "ENDPOINT_OPT_OUT",
    "MISSING_ADDRESS": "ENDPOINT_MISSING_ADDRESS",
    "CHANNEL_MISMATCH": "ENDPOINT_CHANNEL_MISMATCH",
    "HOLDOUT": "TREATMENT_HOLDOUT",
    "QUIET_TIME": "QUIET_TIME",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run needs to decide: treatment by cohort, quiet time, and the channel that an
    endpoint of a type gets something on, by treatment.
    """

    treatment_of: Sequence[str]
    routes: Mapping[str, Mapping[str, str]]
    quiet_time: QuietTime | None


def plan(campaign_id: str, definition: Definition) -> Plan:
    """The plan of a campaign; the same for every run of it."""
    says = definition.all_says
    return Plan(
        treatment_of=_treatments_by_cohort(campaign_id, definition),
        routes={treatment_id: each.routes for treatment_id, each in says.items()},
        quiet_time=definition.schedule.quiet_time,
    )


def _treatments_by_cohort(campaign_id: str, definition: Definition) -> tuple[str, ...]:
    """Spec 8.4.3: holdout takes the first cohorts of a permutation of the campaign's own,
    treatments the next, the default treatment the rest. Stable across runs and restarts.
    """
    seed = hashlib.sha256(campaign_id.encode()).digest()
    order = list(range(COHORTS))
    random.Random(seed).shuffle(order)
    shares = [(HOLDOUT, definition.holdout_percent)]
    shares += [(t.treatment_id, t.size_percent) for t in definition.treatments]
    by_cohort = ["0"] * COHORTS
    at = 0
    for treatment_id, share in shares:
        for cohort in order[at : at + share]:
            by_cohort[cohort] = treatment_id
        at += share
    return tuple(by_cohort)


@dataclass(frozen=True, slots=True)
class Member:
    """What is known of a member of the segment."""

    channel: str
    has_address: bool
    cohort: int
    timezone: str
    opted_out: bool
    inactive: bool


def decide(member: Member, chosen: Plan, now: datetime) -> tuple[str, str]:
    """Treatment id and reason to skip; an empty reason means: send."""
    treatment = chosen.treatment_of[member.cohort % COHORTS]
    own = "0" if treatment == HOLDOUT else treatment
    if member.inactive:
        return own, "INACTIVE"
    if member.opted_out:
        return own, "OPT_OUT"
    if not member.has_address:
        return own, "MISSING_ADDRESS"
    if member.channel not in chosen.routes[own]:
        return own, "CHANNEL_MISMATCH"
    if treatment == HOLDOUT:
        return own, "HOLDOUT"
    if chosen.quiet_time and is_quiet(chosen.quiet_time, member.timezone, now):
        return own, "QUIET_TIME"
    return own, ""


def is_quiet(quiet: QuietTime, timezone: str, now: datetime) -> bool:
    """Spec 8.6: within the clock times of the endpoint's own zone, both ends included;
    without a valid zone it is never quiet.
    """
    try:
        local = now.astimezone(ZoneInfo(timezone)) if timezone else None
    except (ZoneInfoNotFoundError, ValueError):
        local = None
    if local is None:
        return False
    clock = f"{local.hour:02}:{local.minute:02}"
    if quiet.start <= quiet.end:
        return quiet.start <= clock <= quiet.end
    return clock >= quiet.start or clock <= quiet.end
