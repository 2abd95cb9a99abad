"""What the statuses of submit_sm_resp mean for a message (SMPP 3.4 section 5.1.3)."""

from collections.abc import Mapping
from typing import Final

from libs.smpp.codes import CommandStatus, status_name
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outcomes import Answer, Status

_AGAIN: Final[Mapping[int, Status]] = {
    CommandStatus.ESME_RTHROTTLED: Status.THROTTLED,
    CommandStatus.ESME_RMSGQFUL: Status.THROTTLED,
    CommandStatus.ESME_RSYSERR: Status.TEMPORARY_FAILURE,
    CommandStatus.ESME_RSUBMITFAIL: Status.TEMPORARY_FAILURE,
    CommandStatus.ESME_RX_T_APPN: Status.TEMPORARY_FAILURE,
    CommandStatus.ESME_RUNKNOWNERR: Status.TEMPORARY_FAILURE,
    CommandStatus.ESME_RINVBNDSTS: Status.TEMPORARY_FAILURE,
}
_REASONS: Final[Mapping[int, Reason]] = {
    CommandStatus.ESME_RINVDSTADR: Reason.INVALID_ADDRESS,
    CommandStatus.ESME_RINVDSTTON: Reason.INVALID_ADDRESS,
    CommandStatus.ESME_RINVDSTNPI: Reason.INVALID_ADDRESS,
    CommandStatus.ESME_RINVSRCADR: Reason.PROVIDER_REJECTED_SENDER,
    CommandStatus.ESME_RINVSRCTON: Reason.PROVIDER_REJECTED_SENDER,
    CommandStatus.ESME_RINVSRCNPI: Reason.PROVIDER_REJECTED_SENDER,
    CommandStatus.ESME_RX_R_APPN: Reason.CARRIER_BLOCKED,
}


def refused(status: int) -> Answer:
    """What a status other than ESME_ROK means."""
    name = status_name(status)
    again = _AGAIN.get(status)
    if again is not None:
        return Answer(again, detail=name)
    reason = _REASONS.get(status, Reason.PERMANENT_FAILURE)
    return Answer(Status.PERMANENT_FAILURE, detail=name, reason=reason)
