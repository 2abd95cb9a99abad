"""What late reports of providers mean for the ledger: SMS receipts, bounces."""

from collections.abc import Mapping
from typing import Final

from services.messaging.domain.ledger import Reason, Receipt, State
from services.messaging.domain.outbound import MailReport, PartReceipt

# SMPP 3.4 section 5.2.28; ENROUTE and ACCEPTED are no end, so they say nothing.
_SMS: Final[Mapping[str, tuple[State, Reason]]] = {
    "DELIVRD": (State.DELIVERED, Reason.NONE),
    "UNDELIV": (State.FAILED, Reason.UNREACHABLE),
    "EXPIRED": (State.FAILED, Reason.EXPIRED),
    "REJECTD": (State.FAILED, Reason.CARRIER_BLOCKED),
    "DELETED": (State.FAILED, Reason.PERMANENT_FAILURE),
    "UNKNOWN": (State.FAILED, Reason.UNREACHABLE),
}
_DETAIL_LENGTH: Final = 300


def sms_receipt(part: PartReceipt) -> Receipt | None:
    """The receipt of one part; None when it is not the part's end."""
    found = _SMS.get(part.state)
    if found is None:
        return None
    state, reason = found
    detail = "" if state is State.DELIVERED else f"{part.state} {part.error}".strip()
    return Receipt(
        state, reason, detail, provider_id=part.provider_id, provider_account=part.account
    )


def bounce_receipt(report: MailReport) -> Receipt | None:
    """The receipt of a bounce (RFC 3464): class 5 is hard, class 4 soft; None while it is tried."""
    if report.kind != "bounce" or not report.is_final:
        return None
    reason = Reason.SOFT_BOUNCE if report.status.startswith("4") else Reason.HARD_BOUNCE
    detail = (report.detail or report.status)[:_DETAIL_LENGTH]
    return Receipt(State.FAILED, reason, detail, message_id=report.message_id)
