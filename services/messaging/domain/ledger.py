"""The ledger: where each message stands, why, and which changes are allowed (architecture.md 4)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from libs.ids import derived_id

Pairs = tuple[tuple[str, str], ...]
"""Names and values of attributes."""


class State(StrEnum):
    """Where a message stands: `MessageState` without its prefix."""

    QUEUED = "QUEUED"
    CLAIMED = "CLAIMED"
    RETRY = "RETRY"
    HELD = "HELD"
    UNKNOWN = "UNKNOWN"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"


class Reason(StrEnum):
    """Why a message was not sent, or failed: `MessageReason` without its prefix."""

    NONE = ""
    OPT_OUT = "OPT_OUT"
    SUPPRESSED = "SUPPRESSED"
    MISSING_ADDRESS = "MISSING_ADDRESS"
    INVALID_ADDRESS = "INVALID_ADDRESS"
    INACTIVE = "INACTIVE"
    CHANNEL_MISMATCH = "CHANNEL_MISMATCH"
    CHANNEL_DISABLED = "CHANNEL_DISABLED"
    DUPLICATE_ADDRESS = "DUPLICATE_ADDRESS"
    HOLDOUT = "HOLDOUT"
    QUIET_TIME = "QUIET_TIME"
    DAILY_CAP = "DAILY_CAP"
    CAMPAIGN_CAP = "CAMPAIGN_CAP"
    EXPIRED = "EXPIRED"
    RENDERING_FAILURE = "RENDERING_FAILURE"
    MISSING_VARIABLE = "MISSING_VARIABLE"
    CONTENT_TOO_LONG = "CONTENT_TOO_LONG"
    PERMANENT_FAILURE = "PERMANENT_FAILURE"
    RETRIES_EXHAUSTED = "RETRIES_EXHAUSTED"
    HARD_BOUNCE = "HARD_BOUNCE"
    SOFT_BOUNCE = "SOFT_BOUNCE"
    CARRIER_BLOCKED = "CARRIER_BLOCKED"
    UNREACHABLE = "UNREACHABLE"
    BUSY = "BUSY"
    NO_ANSWER = "NO_ANSWER"
    PROVIDER_REJECTED_SENDER = "PROVIDER_REJECTED_SENDER"
    STOPPED = "STOPPED"
    WORKER_LOST = "WORKER_LOST"
    WRITTEN_OFF = "WRITTEN_OFF"
    DEAD_TOKEN = "DEAD_TOKEN"  # noqa: S105 - no secret
    CUSTOM_DELIVERY_FAILURE = "CUSTOM_DELIVERY_FAILURE"


FINAL: Final = frozenset(
    {State.SENT, State.DELIVERED, State.FAILED, State.SKIPPED, State.CANCELLED}
)
"""Nothing of ours changes these any more; a receipt may still say more about SENT."""
OPEN: Final = frozenset(State) - FINAL
WAITING: Final = frozenset({State.QUEUED, State.RETRY, State.HELD})
"""Not with a provider and not about to be."""
RECEIVABLE: Final = frozenset({State.CLAIMED, State.UNKNOWN, State.SENT})
"""A receipt of the provider proves that these were sent, and says how it ended."""


def receivable(state: State) -> frozenset[State]:
    """The states that a receipt may change; that a message was taken decides UNKNOWN alone."""
    return frozenset({State.UNKNOWN}) if state is State.SENT else RECEIVABLE


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.QUEUED: frozenset(
        # FAILED: nothing could be rendered or the sender is refused before any claim.
        {State.CLAIMED, State.HELD, State.CANCELLED, State.SKIPPED, State.FAILED}
    ),
    State.CLAIMED: frozenset(
        {
            State.SENT,
            State.DELIVERED,  # a receipt that overtook the worker's own outcome
            State.FAILED,
            State.SKIPPED,
            State.RETRY,
            State.QUEUED,  # given back before the provider was called
            State.UNKNOWN,
        }
    ),
    State.RETRY: frozenset({State.QUEUED, State.HELD, State.CANCELLED, State.SKIPPED}),
    State.HELD: frozenset({State.QUEUED, State.CANCELLED, State.SKIPPED}),
    State.UNKNOWN: frozenset({State.QUEUED, State.FAILED, State.SENT, State.DELIVERED}),
    State.SENT: frozenset({State.DELIVERED, State.FAILED}),
    State.DELIVERED: frozenset(),
    State.FAILED: frozenset(),
    State.SKIPPED: frozenset(),
    State.CANCELLED: frozenset(),
}


def may_become(old: State, new: State) -> bool:
    """Whether a message may go from one state to another."""
    return new in TRANSITIONS[old]


def sources_of(new: State) -> frozenset[State]:
    """The states from which a message may come to `new`."""
    return frozenset(old for old, allowed in TRANSITIONS.items() if new in allowed)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message in a worker's hands; `due_time` belongs to RETRY only.

    `provider_ids` are the provider's ids of its parts, in order; `provider_account` says whose
    ids these are. `attributes` are what a webhook answered for the events of the send.
    """

    message_id: str
    state: State
    reason: Reason = Reason.NONE
    detail: str = ""
    provider_ids: tuple[str, ...] = ()
    parts: int = 0
    due_time: datetime | None = None
    provider_account: str = ""
    attributes: Pairs = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says later: DELIVERED, FAILED, or SENT when it only says that it took it.

    It is about the part `provider_id`, or about the whole when it carries our `message_id`. Ids of
    parts are unique within an account at the provider, whoever of us sends over it. `stage` is how
    far a call has come that is not over: INITIATED, RINGING or ANSWERED (spec 6.6).
    """

    state: State
    reason: Reason = Reason.NONE
    detail: str = ""
    message_id: str = ""
    provider_id: str = ""
    provider_account: str = ""
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for messages; a direct call has a request id, a campaign the two others."""

    app_id: str
    campaign_id: str = ""
    activity_id: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A message as the ledger has it. `provider_ids` has one id a part.

    `context` is what the caller wants to hear again with every receipt (spec 6.1).
    """

    message_id: str
    origin: Origin
    dispatch_id: str
    batch_id: str
    channel_type: str
    endpoint_id: str
    address: str
    treatment_id: str
    message_type: str
    state: State
    reason: Reason
    detail: str
    attempts: int
    parts: int
    provider_ids: tuple[str, ...]
    create_time: datetime
    update_time: datetime
    due_time: datetime | None
    context: Mapping[str, str] = field(default_factory=dict)
    attributes: Pairs = ()


class MessageIds:
    """Ids of the messages of one dispatch and channel; equal to `derived_id` of their parts."""

    def __init__(self, dispatch_id: str, channel_type: str) -> None:
        self._parts = (dispatch_id, channel_type)
        self._begun = hashlib.sha256()
        for part in self._parts:
            data = part.encode()
            self._begun.update(b"%d:%b" % (len(data), data))

    def of_address(self, normalized: str) -> str:
        """The id of the message to a normalized address; hashing is begun only once a call."""
        digest = self._begun.copy()
        data = normalized.encode()
        digest.update(b"%d:%b" % (len(data), data))
        return digest.hexdigest()[:32]

    def of_endpoint(self, endpoint_id: str) -> str:
        """The id of the row that says why an endpoint gets nothing."""
        return derived_id(*self._parts, "endpoint", endpoint_id)
