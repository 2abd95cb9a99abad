"""Delivery receipts: the text of SMPP 3.4 appendix B, built and parsed."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from libs.smpp.codes import MessageState

STATES: Final = {
    MessageState.ENROUTE: "ENROUTE",
    MessageState.DELIVERED: "DELIVRD",
    MessageState.EXPIRED: "EXPIRED",
    MessageState.DELETED: "DELETED",
    MessageState.UNDELIVERABLE: "UNDELIV",
    MessageState.ACCEPTED: "ACCEPTD",
    MessageState.UNKNOWN: "UNKNOWN",
    MessageState.REJECTED: "REJECTD",
}
_BY_NAME: Final = {name: state for state, name in STATES.items()}
_NAMES: Final = "id|sub|dlvrd|submit date|done date|stat|err|text"
# Some centres write a blank after the colon, and some leave a value empty.
_FIELD: Final = re.compile(rf"(?:^|\s)({_NAMES}):(?:\s(?!(?:{_NAMES}):))?(\S*)", re.IGNORECASE)
_TEXT: Final = re.compile(r"(?:^|\s)text:(.*)\Z", re.IGNORECASE | re.DOTALL)
_FORMATS: Final = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S"}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one submitted part; times are UTC, to the minute as the format has it.

    `error` is the network's own three characters, "000" for none.
    """

    message_id: str
    state: MessageState
    submit_date: datetime | None = None
    done_date: datetime | None = None
    error: str = "000"
    submitted: int = 1
    delivered: int = 0
    text: str = ""


def build(receipt: Receipt) -> bytes:
    """Write the receipt, with the 20 characters of the original that appendix B allows."""
    return (
        f"id:{receipt.message_id} sub:{receipt.submitted:03d} dlvrd:{receipt.delivered:03d}"
        f" submit date:{_date(receipt.submit_date)} done date:{_date(receipt.done_date)}"
        f" stat:{STATES[receipt.state]} err:{receipt.error} text:{receipt.text[:20]}"
    ).encode("latin-1", "replace")


def parse(data: bytes) -> Receipt | None:
    """Read the receipt in a deliver_sm, or None when it names no message or no known state."""
    raw = data.decode("latin-1")
    text = _TEXT.search(raw)
    head = raw[: text.start()] if text else raw
    fields = {name.lower(): value for name, value in _FIELD.findall(head)}
    state = _BY_NAME.get(fields.get("stat", "").upper())
    if state is None or not fields.get("id"):
        return None
    return Receipt(
        message_id=fields["id"],
        state=state,
        submit_date=_moment(fields.get("submit date", "")),
        done_date=_moment(fields.get("done date", "")),
        error=fields.get("err", "000"),
        submitted=_count(fields.get("sub", "")),
        delivered=_count(fields.get("dlvrd", "")),
        text=text.group(1) if text else "",
    )


def _date(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%y%m%d%H%M") if moment else ""


def _moment(value: str) -> datetime | None:
    form = _FORMATS.get(len(value))
    if form is None or not value.isdigit():
        return None
    try:
        return datetime.strptime(value, form).replace(tzinfo=UTC)
    except ValueError:
        return None


def _count(value: str) -> int:
    return int(value) if value.isascii() and value.isdigit() else 0
