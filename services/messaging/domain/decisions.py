"""Why a message went out, or not: where on its way it was decided about, and in which words.

The way is that of architecture.md 4: audience, admission, gates, rendering, provider, receipt.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.messaging.domain.ledger import Reason, Row, State


class Stage(StrEnum):
    """Where a decision is made: `DecisionStage` without its prefix."""

    AUDIENCE = "AUDIENCE"
    ADMISSION = "ADMISSION"
    GATE = "GATE"
    RENDERING = "RENDERING"
    PROVIDER = "PROVIDER"
    RECEIPT = "RECEIPT"
    OPERATOR = "OPERATOR"


WAY: Final = (
    Stage.AUDIENCE,
    Stage.ADMISSION,
    Stage.GATE,
    Stage.RENDERING,
    Stage.PROVIDER,
    Stage.RECEIPT,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where, why, and what can be done about it."""

    stage: Stage
    explanation: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A check on the way, whether the message passed it, and when if anybody noted it."""

    stage: Stage
    passed: bool
    explanation: str
    time: datetime | None = None


_REASONS: Final[Mapping[Reason, Verdict]] = {
    Reason.OPT_OUT: Verdict(Stage.GATE, "The endpoint has opted out."),
    Reason.SUPPRESSED: Verdict(
        Stage.GATE,
        "The address is on the suppression list.",
        "ListSuppressedDestinations tells why; an operator can take it off.",
    ),
    Reason.MISSING_ADDRESS: Verdict(
        Stage.ADMISSION, "The endpoint has no address.", "Give the endpoint an address."
    ),
    Reason.INVALID_ADDRESS: Verdict(
        Stage.ADMISSION, "The address is none of its channel.", "Correct the endpoint's address."
    ),
    Reason.INACTIVE: Verdict(
        Stage.AUDIENCE,
        "The endpoint is INACTIVE.",
        "A new address or an update of the app makes it ACTIVE.",
    ),
    Reason.CHANNEL_MISMATCH: Verdict(
        Stage.AUDIENCE,
        "The campaign says nothing on the endpoint's channel.",
        "Give the campaign a message for the channel.",
    ),
    Reason.CHANNEL_DISABLED: Verdict(
        Stage.GATE, "The channel is switched off.", "Set the channel up and switch it on."
    ),
    Reason.DUPLICATE_ADDRESS: Verdict(
        Stage.ADMISSION, "Another endpoint of the same send has the address."
    ),
    Reason.HOLDOUT: Verdict(Stage.AUDIENCE, "The endpoint is in the control group."),
    Reason.QUIET_TIME: Verdict(Stage.AUDIENCE, "It was quiet time where the recipient is."),
    Reason.DAILY_CAP: Verdict(
        Stage.AUDIENCE, "The endpoint had as many messages in 24 hours as the limit allows."
    ),
    Reason.CAMPAIGN_CAP: Verdict(
        Stage.AUDIENCE, "The endpoint had as many messages of the campaign as its limit allows."
    ),
    Reason.EXPIRED: Verdict(
        Stage.GATE,
        "Its time was over before it could be sent.",
        "Allow more time, or a higher rate.",
    ),
    Reason.RENDERING_FAILURE: Verdict(
        Stage.RENDERING, "The words could not be put together.", "Preview the template."
    ),
    Reason.MISSING_VARIABLE: Verdict(
        Stage.RENDERING,
        "A variable has neither a value nor a default.",
        "Give the template a default, or have the policy render it empty.",
    ),
    Reason.CONTENT_TOO_LONG: Verdict(
        Stage.RENDERING, "The words are longer than the channel takes.", "Shorten the text."
    ),
    Reason.PERMANENT_FAILURE: Verdict(Stage.PROVIDER, "The provider refused it for good."),
    Reason.RETRIES_EXHAUSTED: Verdict(
        Stage.PROVIDER, "The provider did not take it in any attempt.", "Send it again later."
    ),
    Reason.HARD_BOUNCE: Verdict(
        Stage.PROVIDER, "The receiving server returned it: the address does not exist."
    ),
    Reason.SOFT_BOUNCE: Verdict(
        Stage.PROVIDER, "The receiving server could not take it for a while and gave up."
    ),
    Reason.CARRIER_BLOCKED: Verdict(
        Stage.PROVIDER, "The carrier blocked it.", "Ask the carrier or provider for the cause."
    ),
    Reason.BUSY: Verdict(Stage.PROVIDER, "The phone was busy."),
    Reason.NO_ANSWER: Verdict(Stage.PROVIDER, "Nobody took the call."),
    Reason.UNREACHABLE: Verdict(Stage.PROVIDER, "The phone could not be reached."),
    Reason.PROVIDER_REJECTED_SENDER: Verdict(
        Stage.PROVIDER,
        "The provider refuses our credentials or sender.",
        "Check the channel's credentials and sender.",
    ),
    Reason.STOPPED: Verdict(Stage.OPERATOR, "An operator stopped it before it was sent."),
    Reason.WORKER_LOST: Verdict(
        Stage.PROVIDER,
        "A worker died while it was being sent: it was sent or it was not.",
        "ResolveUnknownMessages sends it again, or writes it off.",
    ),
    Reason.WRITTEN_OFF: Verdict(Stage.OPERATOR, "An operator wrote it off."),
    Reason.DEAD_TOKEN: Verdict(
        Stage.PROVIDER, "The push service says that the token is dead; the endpoint is INACTIVE."
    ),
    Reason.CUSTOM_DELIVERY_FAILURE: Verdict(
        Stage.PROVIDER,
        "The webhook did not take it.",
        "Look at what the webhook answers, and at the header by which it names the application.",
    ),
}
_STATES: Final[Mapping[State, Verdict]] = {
    State.QUEUED: Verdict(Stage.GATE, "It waits in the queue."),
    State.CLAIMED: Verdict(Stage.PROVIDER, "A worker is handing it to the provider."),
    State.RETRY: Verdict(Stage.PROVIDER, "The provider put it off; it will be tried again."),
    State.HELD: Verdict(
        Stage.OPERATOR, "It is held by an operator.", "Release what holds it: ListHolds tells."
    ),
    State.UNKNOWN: Verdict(
        Stage.PROVIDER,
        "Nobody knows whether the provider has it.",
        "ResolveUnknownMessages sends it again, or writes it off.",
    ),
    State.SENT: Verdict(Stage.PROVIDER, "The provider took it."),
    State.DELIVERED: Verdict(Stage.RECEIPT, "The provider says that it arrived."),
    State.FAILED: Verdict(Stage.PROVIDER, "The provider refused it."),
    State.SKIPPED: Verdict(Stage.GATE, "It was not sent."),
    State.CANCELLED: Verdict(Stage.OPERATOR, "It was cancelled."),
}
_PASSED: Final[Mapping[Stage, str]] = {
    Stage.AUDIENCE: "The endpoint is in the audience and within the campaign's limits.",
    Stage.ADMISSION: "The gateway took it in.",
    Stage.GATE: "It was in time, its channel on, and nobody had opted out.",
    Stage.RENDERING: "The words were put together.",
    Stage.PROVIDER: "The provider took it.",
}
_WENT_ON: Final = frozenset({State.SENT, State.DELIVERED})


def verdict_of(row: Row) -> Verdict:
    """What was decided last about a message, with the provider's own words if there are any."""
    found = _REASONS[row.reason] if row.reason else _STATES[row.state]
    stage = found.stage
    if stage is Stage.PROVIDER and row.state is State.FAILED and row.provider_ids:
        # It had been taken: what said otherwise came later.
        stage = Stage.RECEIPT
    facts = " ".join(_facts(row))
    return Verdict(stage, f"{found.explanation} {facts}".strip(), found.advice)


def _facts(row: Row) -> Iterator[str]:
    if row.attempts > 1:
        yield f"It was tried {row.attempts} times."
    if row.due_time is not None:
        yield f"The next try is at {row.due_time:%Y-%m-%d %H:%M:%S} UTC."
    if row.detail:
        yield f"Details: {row.detail}"


def steps_of(row: Row) -> list[Step]:
    """Every check on the way of a message, in order, up to where it stands."""
    last = verdict_of(row)
    place = Stage.GATE if last.stage is Stage.OPERATOR else last.stage
    steps = []
    for stage in WAY[: WAY.index(place)]:
        if stage is Stage.AUDIENCE and not row.origin.campaign_id:
            continue  # a direct send has no audience
        at = row.create_time if stage is Stage.ADMISSION else None
        steps.append(Step(stage, passed=True, explanation=_PASSED[stage], time=at))
    passed = row.state in _WENT_ON
    return [*steps, Step(last.stage, passed, last.explanation, row.update_time)]


@dataclass(frozen=True, slots=True)
class Standing:
    """Rows that stand so; empty sets hold for all. `is_taken` is whether a provider had them."""

    states: frozenset[State] = frozenset()
    reasons: frozenset[Reason] = frozenset()
    is_taken: bool | None = None


def standings_of(stage: Stage) -> tuple[Standing, ...]:
    """Rows whose last decision is of a stage: those of any of the standings."""
    if stage is Stage.RECEIPT:
        reasons = _reasons(Stage.PROVIDER) | {Reason.NONE}
        failed = Standing(frozenset({State.FAILED}), reasons, is_taken=True)
        return (Standing(frozenset({State.DELIVERED}), frozenset({Reason.NONE})), failed)
    reasons = _reasons(stage)
    states = frozenset(state for state, found in _STATES.items() if found.stage is stage)
    plain = Standing(states, frozenset({Reason.NONE}))
    if stage is not Stage.PROVIDER:
        return (Standing(reasons=reasons), plain) if states else (Standing(reasons=reasons),)
    others = frozenset(State) - {State.FAILED}
    refused = Standing(frozenset({State.FAILED}), reasons | {Reason.NONE}, is_taken=False)
    return (Standing(others, reasons), refused, Standing(states - {State.FAILED}, plain.reasons))


def _reasons(stage: Stage) -> frozenset[Reason]:
    return frozenset(reason for reason, found in _REASONS.items() if found.stage is stage)
