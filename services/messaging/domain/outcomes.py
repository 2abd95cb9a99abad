"""What a provider's answer means: one table to the ledger, one to the events that tell of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.messaging.domain.families import CUSTOM, PUSH_TYPES, TAKES_OUR_ID
from services.messaging.domain.ledger import Outcome, Pairs, Reason, State
from services.messaging.domain.retry import Attempt, next_attempt

TRANSACTIONAL: Final = "TRANSACTIONAL"
PROMOTIONAL: Final = "PROMOTIONAL"
EMAIL: Final = "EMAIL"
SMS: Final = "SMS"
VOICE: Final = "VOICE"


class Status(StrEnum):
    """What a provider made of a message: DeliveryStatus of spec 6.1, and NOT_CALLED.

    NOT_CALLED means that the provider certainly never saw it; UNKNOWN_FAILURE that it may have.
    """

    SUCCESSFUL = "SUCCESSFUL"
    THROTTLED = "THROTTLED"
    TEMPORARY_FAILURE = "TEMPORARY_FAILURE"
    PERMANENT_FAILURE = "PERMANENT_FAILURE"
    UNKNOWN_FAILURE = "UNKNOWN_FAILURE"
    OPT_OUT = "OPT_OUT"
    DUPLICATE = "DUPLICATE"
    NOT_CALLED = "NOT_CALLED"


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's answer to one message: its ids of the parts, its words, the cause if known.

    `account` says whose ids these are, when they are not unique by themselves. `new_address` is the
    push token that took the place of the one that was sent to. `attributes` are a webhook's,
    for the events of the send.
    """

    status: Status
    provider_ids: tuple[str, ...] = ()
    detail: str = ""
    reason: Reason = Reason.NONE
    account: str = ""
    new_address: str = ""
    attributes: Pairs = ()


_AGAIN: Final = frozenset({Status.THROTTLED, Status.TEMPORARY_FAILURE})
_ENDS: Final[Mapping[Status, tuple[State, Reason]]] = {
    Status.SUCCESSFUL: (State.SENT, Reason.NONE),
    Status.PERMANENT_FAILURE: (State.FAILED, Reason.PERMANENT_FAILURE),
    Status.UNKNOWN_FAILURE: (State.UNKNOWN, Reason.NONE),
    Status.OPT_OUT: (State.SKIPPED, Reason.OPT_OUT),
    Status.DUPLICATE: (State.SKIPPED, Reason.DUPLICATE_ADDRESS),
    Status.NOT_CALLED: (State.QUEUED, Reason.NONE),
}
_DETAIL_LENGTH: Final = 300


def is_resent(channel_type: str, message_type: str) -> bool:
    """Whether a message that was sent or was not is sent again without a person's word.

    The policy of transactional messages is RESEND: perhaps twice rather than perhaps never. Where
    the provider takes our id nobody gets it twice, whatever its class.
    """
    return message_type == TRANSACTIONAL or channel_type in TAKES_OUR_ID


def needs_attempts(answer: Answer, *, resent: bool) -> bool:
    """Whether the outcome depends on how often the message was tried; `resent` as above."""
    return answer.status in _AGAIN or (resent and answer.status is Status.UNKNOWN_FAILURE)


def outcome_of(
    message_id: str, answer: Answer, attempt: Attempt, now: datetime, *, resent: bool
) -> Outcome:
    """The ledger outcome of an answer (spec 6.2: three attempts inside the time to live).

    A message whose answer was lost is sent again when `resent` (see `is_resent`), and waits in
    UNKNOWN for an operator otherwise.
    """
    detail = answer.detail[:_DETAIL_LENGTH]
    if needs_attempts(answer, resent=resent):
        due = next_attempt(attempt, now)
        if due is not None:
            return Outcome(message_id, State.RETRY, answer.reason, detail, due_time=due)
        reason = answer.reason or Reason.RETRIES_EXHAUSTED
        return Outcome(message_id, State.FAILED, reason, detail)
    state, usual = _ENDS[answer.status]
    reason = answer.reason or usual
    ids = answer.provider_ids
    return Outcome(
        message_id,
        state,
        reason,
        detail,
        ids,
        len(ids),
        provider_account=answer.account,
        attributes=answer.attributes,
    )


_EMAIL_EVENTS: Final[Mapping[tuple[State, Reason], str]] = {
    (State.SENT, Reason.NONE): "_email.send",
    (State.DELIVERED, Reason.NONE): "_email.delivered",
    (State.FAILED, Reason.HARD_BOUNCE): "_email.hardbounce",
    (State.FAILED, Reason.SOFT_BOUNCE): "_email.softbounce",
    (State.FAILED, Reason.RETRIES_EXHAUSTED): "_email.softbounce",
    (State.FAILED, Reason.PERMANENT_FAILURE): "_email.rejected",
    (State.FAILED, Reason.PROVIDER_REJECTED_SENDER): "_email.rejected",
    # Spec 6.3: a send to a suppressed address is dropped and recorded as a bounce.
    (State.SKIPPED, Reason.SUPPRESSED): "_email.hardbounce",
    (State.SKIPPED, Reason.RENDERING_FAILURE): "_email.rendering_failure",
    (State.SKIPPED, Reason.MISSING_VARIABLE): "_email.rendering_failure",
    (State.SKIPPED, Reason.CONTENT_TOO_LONG): "_email.rendering_failure",
}
ENDED_SENDS: Final = frozenset({"_email.hardbounce", "_email.softbounce", "_email.rejected"})
"""Spec 10.1 takes these from the sends, so each has one: a mail server took part, for whoever is
away is waited for, or the mail was accepted to be dropped (spec 6.3)."""
_SMS_EVENTS: Final[Mapping[State, str]] = {
    State.SENT: "_SMS.BUFFERED",
    State.DELIVERED: "_SMS.SUCCESS",
    State.FAILED: "_SMS.FAILURE",
    State.SKIPPED: "_SMS.FAILURE",
}
_PUSH_EVENTS: Final[Mapping[State, str]] = {
    State.SENT: "_push.send",
    State.FAILED: "_push.failure",
    State.SKIPPED: "_push.failure",
}
"""Spec 3.2: direct push sends have no events in the original; these are equivalents."""
_VOICE_EVENTS: Final[Mapping[State, str]] = {
    State.SENT: "_voice.initiated",
    State.DELIVERED: "_voice.completed",
    State.FAILED: "_voice.failed",
    State.SKIPPED: "_voice.failed",
}
_CALL_ENDS: Final[Mapping[Reason, str]] = {
    Reason.BUSY: "_voice.busy",
    Reason.NO_ANSWER: "_voice.no_answer",
    Reason.EXPIRED: "_voice.ttl_expired",
}
"""Spec 6.6: calls that came to nothing for a cause with an event of its own."""
_STATE_EVENTS: Final[Mapping[str, Mapping[State, str]]] = {
    SMS: _SMS_EVENTS,
    VOICE: _VOICE_EVENTS,
    # Spec 3.2 names none: the campaign's own event tells of a webhook.
    CUSTOM: {},
    **dict.fromkeys(PUSH_TYPES, _PUSH_EVENTS),
}
"""Events that the state alone decides, by channel; those of mails depend on the reason too."""
RECORD_STATUS: Final[Mapping[Reason, str]] = {
    Reason.OPT_OUT: "OPTED_OUT",
    Reason.SUPPRESSED: "OPTED_OUT",
    Reason.INVALID_ADDRESS: "INVALID_PHONE_NUMBER",
    Reason.MISSING_ADDRESS: "INVALID_PHONE_NUMBER",
    Reason.CONTENT_TOO_LONG: "INVALID_MESSAGE",
    Reason.RENDERING_FAILURE: "INVALID_MESSAGE",
    Reason.MISSING_VARIABLE: "INVALID_MESSAGE",
    Reason.EXPIRED: "TTL_EXPIRED",
    Reason.CARRIER_BLOCKED: "CARRIER_BLOCKED",
    Reason.UNREACHABLE: "UNREACHABLE",
    Reason.BUSY: "UNREACHABLE",
    Reason.NO_ANSWER: "UNREACHABLE",
    Reason.RETRIES_EXHAUSTED: "CARRIER_UNREACHABLE",
    Reason.PROVIDER_REJECTED_SENDER: "INVALID_ORIGINATION_IDENTITY",
    Reason.CHANNEL_DISABLED: "NO_ORIGINATION_IDENTITY_AVAILABLE_TO_SEND",
    Reason.PERMANENT_FAILURE: "INVALID",
}
"""Spec 3.5 `record_status` of a failure."""
_CAMPAIGN_STATUS: Final[Mapping[Reason, str]] = {
    Reason.EXPIRED: "EXPIRED",
    Reason.DUPLICATE_ADDRESS: "DUPLICATE_ADDRESS",
    Reason.CHANNEL_DISABLED: "UNSUPPORTED_CHANNEL",
    Reason.CHANNEL_MISMATCH: "UNSUPPORTED_CHANNEL",
    Reason.HOLDOUT: "HOLDOUT",
    Reason.QUIET_TIME: "QUIET_TIME",
    Reason.DAILY_CAP: "DAILY_CAP",
    Reason.CAMPAIGN_CAP: "CAMPAIGN_CAP",
    Reason.RETRIES_EXHAUSTED: "TRANSIENT_FAILURE",
    Reason.SOFT_BOUNCE: "TRANSIENT_FAILURE",
    Reason.RENDERING_FAILURE: "FAILURE",
    Reason.MISSING_VARIABLE: "FAILURE",
    Reason.CONTENT_TOO_LONG: "FAILURE",
    Reason.CUSTOM_DELIVERY_FAILURE: "CUSTOM_DELIVERY_FAILURE",
}
# An UNKNOWN message may be sent again: its send is told when it is decided, for an event id counts
# only once.
_FINAL_SEND: Final = frozenset({State.SENT, State.FAILED, State.SKIPPED})


def channel_event(channel_type: str, state: State, reason: Reason) -> str:
    """Name of the event that tells of an outcome; empty when none does (spec 3.2)."""
    if channel_type == VOICE and reason in _CALL_ENDS:
        return _CALL_ENDS[reason]
    by_state = _STATE_EVENTS.get(channel_type)
    if by_state is not None:
        return by_state.get(state, "")
    return _EMAIL_EVENTS.get((state, reason), "")


def call_event(stage: str) -> str:
    """Name of the event of a call that goes on (spec 6.6: INITIATED, RINGING, ANSWERED)."""
    return f"_voice.{stage.lower()}"


def record_status(state: State, reason: Reason) -> str:
    """Spec 3.5 `record_status` of an SMS."""
    if state is State.SENT:
        return "PENDING"
    if state is State.DELIVERED:
        return "DELIVERED"
    return RECORD_STATUS.get(reason, "UNKNOWN")


def campaign_send_status(state: State, reason: Reason) -> str:
    """Spec 3.5 `campaign_send_status` of an outcome; empty when the send is not decided yet."""
    if state not in _FINAL_SEND:
        return ""
    if state is State.SENT:
        return "SUCCESS"
    return _CAMPAIGN_STATUS.get(reason, "FAILURE_PERMANENT")
