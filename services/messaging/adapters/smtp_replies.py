"""What SMTP replies mean for a message (RFC 5321 4.2, RFC 3463)."""

import re
from typing import Final

from services.messaging.domain.ledger import Reason
from services.messaging.domain.outcomes import Answer, Status

_ENHANCED: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_QUEUED: Final = re.compile(r"queued as ([\w.\-]+)", re.IGNORECASE)
# RFC 5321 4.2.3: no such mailbox, not local, mailbox name not allowed.
_DEAD_CODES: Final = frozenset({550, 551, 553})
# RFC 3463 3.2, 3.3: bad destination, disabled mailbox.
_DEAD: Final = re.compile(r"5\.(1\.(1|2|3|6|10)|2\.1)")
_RATE: Final = re.compile(r"\brate\b|too many|throttl", re.IGNORECASE)


def enhanced_status(text: str) -> str:
    """The first enhanced status code in a text; empty without one."""
    found = _ENHANCED.search(text)
    return found.group() if found else ""


def accepted(text: str) -> Answer:
    """The server took the mail; its queue id is kept when it says one."""
    found = _QUEUED.search(text)
    return Answer(Status.SUCCESSFUL, (found.group(1),) if found else ())


def refused(code: int, text: str, *, of_recipient: bool = False, of_sender: bool = False) -> Answer:
    """A reply of class 4 is a deferral, of class 5 a refusal; whose fault says where it came."""
    detail = f"{code} {text}"
    if code < 500:
        status = Status.THROTTLED if _RATE.search(text) else Status.TEMPORARY_FAILURE
        return Answer(status, detail=detail)
    if of_sender:
        reason = Reason.PROVIDER_REJECTED_SENDER
    elif of_recipient and _is_dead(code, text):
        reason = Reason.HARD_BOUNCE
    else:
        reason = Reason.PERMANENT_FAILURE
    return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=reason)


def _is_dead(code: int, text: str) -> bool:
    status = enhanced_status(text)
    return bool(_DEAD.fullmatch(status)) if status else code in _DEAD_CODES
