"""What Amazon publishes of a message: events of SES and of End User Messaging, as reports.

SES: "Examples of event data that Amazon SES publishes to Amazon SNS". End User Messaging: "Example
event data". Each names the message by our own id, which the adapters put into its tags or context.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.messaging.domain.accounts import aws_key
from services.messaging.domain.callbacks import Report
from services.messaging.domain.ledger import Reason, Receipt, State
from services.messaging.domain.outbound import MailReport

Told = Mapping[str, Any]
REFERENCE: Final = "message-id"
"""The tag of a mail, or the key in the context of a text or call, that carries our id."""
_DETAIL_LENGTH: Final = 200
# RFC 5965 3.1, RFC 6591: takes a complaint back, or is none of a person's.
_NO_COMPLAINTS: Final = frozenset({"not-spam", "virus", "auth-failure"})

_Ending = tuple[State, Reason]
_SENT: Final[_Ending] = (State.SENT, Reason.NONE)
_DELIVERED: Final[_Ending] = (State.DELIVERED, Reason.NONE)
_STAGES: Final = {f"VOICE_{one}": one for one in ("INITIATED", "RINGING", "ANSWERED")}
# TEXT_UNKNOWN says that no carrier said anything in 72 hours, which is nothing to act on.
_PHONE: Final[Mapping[str, _Ending]] = {
    "TEXT_PENDING": _SENT,
    "TEXT_QUEUED": _SENT,
    "TEXT_SENT": _SENT,
    "TEXT_SUCCESSFUL": _SENT,  # a carrier has it
    "TEXT_DELIVERED": _DELIVERED,
    "TEXT_INVALID": (State.FAILED, Reason.INVALID_ADDRESS),
    "TEXT_INVALID_MESSAGE": (State.FAILED, Reason.PERMANENT_FAILURE),
    "TEXT_UNREACHABLE": (State.FAILED, Reason.UNREACHABLE),
    "TEXT_CARRIER_UNREACHABLE": (State.FAILED, Reason.UNREACHABLE),
    "TEXT_BLOCKED": (State.FAILED, Reason.CARRIER_BLOCKED),
    "TEXT_CARRIER_BLOCKED": (State.FAILED, Reason.CARRIER_BLOCKED),
    "TEXT_SPAM": (State.FAILED, Reason.CARRIER_BLOCKED),
    "TEXT_PROTECT_BLOCKED": (State.FAILED, Reason.CARRIER_BLOCKED),
    "TEXT_TTL_EXPIRED": (State.FAILED, Reason.EXPIRED),
    "VOICE_INITIATED": _SENT,
    "VOICE_RINGING": _SENT,
    "VOICE_ANSWERED": _SENT,
    "VOICE_COMPLETED": _DELIVERED,
    "VOICE_BUSY": (State.FAILED, Reason.BUSY),
    "VOICE_NO_ANSWER": (State.FAILED, Reason.NO_ANSWER),
    "VOICE_FAILED": (State.FAILED, Reason.PERMANENT_FAILURE),
    "VOICE_TTL_EXPIRED": (State.FAILED, Reason.EXPIRED),
}


def mail_reports(told: Told, _: str) -> list[Report]:
    """Reports of an event of SES; of opens and clicks our own links tell."""
    mail = _part(told, "mail")
    message_id = _first(_part(mail, "tags").get(REFERENCE))
    read = _MAILS.get(str(told.get("eventType") or told.get("notificationType")))
    if read is None or not message_id:
        return []
    report = read(message_id, told)
    return [report] if report else []


def phone_reports(told: Told, access_key_id: str) -> list[Report]:
    """Reports of an event of a text or call."""
    ending = _PHONE.get(str(told.get("eventType")))
    message_id = _part(told, "context").get(REFERENCE)
    if ending is None or not isinstance(message_id, str) or not message_id:
        return []
    state, reason = ending
    detail = _short(told.get("messageStatusDescription")) if state is State.FAILED else ""
    provider_id = str(told.get("messageId") or "")
    key, stage = aws_key(access_key_id), _STAGES.get(str(told.get("eventType")), "")
    return [Receipt(state, reason, detail, message_id, provider_id, key, stage)]


def _taken(message_id: str, _: Told) -> Report:
    return Receipt(State.SENT, message_id=message_id)


def _arrived(message_id: str, _: Told) -> Report:
    return Receipt(State.DELIVERED, message_id=message_id)


def _rejected(message_id: str, told: Told) -> Report:
    detail = _short(_part(told, "reject").get("reason"))
    return Receipt(State.FAILED, Reason.PERMANENT_FAILURE, detail, message_id)


def _bounced(message_id: str, told: Told) -> Report:
    """`Transient` bounces are final, too: SES has tried long enough; they suppress nobody."""
    bounce = _part(told, "bounce")
    person = _part_of(bounce.get("bouncedRecipients"))
    is_permanent = bounce.get("bounceType") == "Permanent"
    status = str(person.get("status") or ("5.0.0" if is_permanent else "4.0.0"))
    # The first digit decides what a bounce means here, so it must say what SES says.
    status = ("5" if is_permanent else "4") + status[1:]
    detail = _short(person.get("diagnosticCode") or bounce.get("bounceSubType"))
    return MailReport(message_id, "bounce", status, detail, is_final=True)


def _delayed(message_id: str, told: Told) -> Report:
    delay = _part(told, "deliveryDelay")
    person = _part_of(delay.get("delayedRecipients"))
    status = str(person.get("status") or "4.0.0")
    detail = _short(person.get("diagnosticCode") or delay.get("delayType"))
    return MailReport(message_id, "bounce", status, detail, is_final=False)


def _complained(message_id: str, told: Told) -> Report | None:
    kind = str(_part(told, "complaint").get("complaintFeedbackType") or "abuse")
    return None if kind in _NO_COMPLAINTS else MailReport(message_id, "complaint", detail=kind)


_MAILS: Final[Mapping[str, Callable[[str, Told], Report | None]]] = {
    "Send": _taken,
    "Delivery": _arrived,
    "Reject": _rejected,
    "Bounce": _bounced,
    "DeliveryDelay": _delayed,
    "Complaint": _complained,
}


def _part(told: Told, name: str) -> Told:
    found = told.get(name)
    return found if isinstance(found, Mapping) else {}


def _part_of(listed: object) -> Told:
    """The first of a list of objects: our mails have one recipient."""
    found = listed[0] if isinstance(listed, list) and listed else None
    return found if isinstance(found, Mapping) else {}


def _first(listed: object) -> str:
    found = listed[0] if isinstance(listed, list) and listed else ""
    return found if isinstance(found, str) else ""


def _short(text: object) -> str:
    return " ".join(text.split())[:_DETAIL_LENGTH] if isinstance(text, str) else ""
