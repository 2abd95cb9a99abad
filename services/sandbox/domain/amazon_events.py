"""What Amazon publishes of a message: the events of SES and of End User Messaging.

SES: "Examples of event data that Amazon SES publishes to Amazon SNS". End User Messaging: "Example
event data for SMS, MMS and voice".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from services.sandbox.domain.behaviours import EMAIL, VOICE, Outcome

# What a carrier may say (SMPP 3.4 appendix B) as End User Messaging says it.
_TEXTS: Final[Mapping[str, str]] = {
    "DELIVRD": "TEXT_DELIVERED",
    "UNDELIV": "TEXT_UNREACHABLE",
    "REJECTD": "TEXT_CARRIER_BLOCKED",
    "EXPIRED": "TEXT_TTL_EXPIRED",
    "DELETED": "TEXT_INVALID_MESSAGE",
    "UNKNOWN": "TEXT_UNKNOWN",
}
_CALLS: Final[Mapping[str, str]] = {
    "busy": "VOICE_BUSY",
    "no-answer": "VOICE_NO_ANSWER",
    "failed": "VOICE_FAILED",
}


@dataclass(frozen=True, slots=True)
class Published:
    """A message that was taken; `tags` are those of a mail, or the context of a text or call."""

    channel: str
    message_id: str
    sender: str
    to: str
    tags: Mapping[str, str]


def events_of(message: Published, outcome: Outcome, now: datetime) -> list[dict[str, Any]]:
    """Everything that is published of a message, its end last."""
    if message.channel == EMAIL:
        return [_mail(message, kind, more, now) for kind, more in _mails(message, outcome, now)]
    return [_phone(message, kind, now) for kind in _phones(message.channel, outcome)]


def _mails(
    message: Published, outcome: Outcome, now: datetime
) -> Sequence[tuple[str, Mapping[str, Any]]]:
    person = {"emailAddress": message.to}
    if outcome.kind == "bounce":
        is_hard = outcome.status.startswith("5")
        bounce = {
            "bounceType": "Permanent" if is_hard else "Transient",
            "bounceSubType": "General",
            "bouncedRecipients": [
                {**person, "status": outcome.status, "diagnosticCode": outcome.text}
            ],
            "timestamp": _instant(now),
        }
        return [("Send", {"send": {}}), ("Bounce", {"bounce": bounce})]
    arrived = {"delivery": {"recipients": [message.to], "timestamp": _instant(now)}}
    if outcome.kind == "complain":
        told = {"complainedRecipients": [person], "complaintFeedbackType": "abuse"}
        complaint = {"complaint": {**told, "timestamp": _instant(now)}}
        return [("Send", {"send": {}}), ("Delivery", arrived), ("Complaint", complaint)]
    return [("Send", {"send": {}}), ("Delivery", arrived)]


def _mail(message: Published, kind: str, more: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    mail = {
        "timestamp": _instant(now),
        "source": message.sender,
        "messageId": message.message_id,
        "destination": [message.to],
        "tags": {name: [value] for name, value in message.tags.items()},
    }
    return {"eventType": kind, "mail": mail, **more}


def _phones(channel: str, outcome: Outcome) -> Sequence[str]:
    if channel != VOICE:
        return ["TEXT_QUEUED", _TEXTS.get(outcome.state, "TEXT_SENT")]
    begun = ["VOICE_INITIATED", "VOICE_RINGING"]
    if outcome.kind in _CALLS:
        return [*begun, _CALLS[outcome.kind]]
    return [*begun, "VOICE_ANSWERED", "VOICE_COMPLETED"]


def _phone(message: Published, kind: str, now: datetime) -> dict[str, Any]:
    return {
        "eventType": kind,
        "eventVersion": "1.0",
        "eventTimestamp": int(now.timestamp() * 1000),
        "isFinal": not kind.endswith(("_QUEUED", "_SENT", "_INITIATED", "_RINGING", "_ANSWERED")),
        "originationPhoneNumber": message.sender,
        "destinationPhoneNumber": message.to,
        "messageId": message.message_id,
        "messageStatus": kind.partition("_")[2],
        "messageStatusDescription": kind.partition("_")[2].replace("_", " ").capitalize(),
        "context": dict(message.tags),
    }


def _instant(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
