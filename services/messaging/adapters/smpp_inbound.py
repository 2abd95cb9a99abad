"""What a centre sends: receipts of parts, and texts of people, joined from their parts."""

import time
from dataclasses import dataclass, field
from typing import Final

from libs.ids import derived_id
from libs.smpp import gsm, receipt
from libs.smpp.codes import MessageState
from libs.smpp.pdu import DeliverSm
from libs.smpp.segments import Segment, segment_of
from services.messaging.domain.outbound import InboundSms, PartReceipt

KEPT_SECONDS: Final = 600.0
KEPT_TEXTS: Final = 1000
_INTERNATIONAL: Final = 1
Key = tuple[str, str, int, int]


@dataclass(slots=True)
class _Parts:
    since: float
    data: dict[int, bytes] = field(default_factory=dict)


class Assembly:
    """Texts of which not all parts have come; the oldest are forgotten."""

    def __init__(self) -> None:
        self._texts: dict[Key, _Parts] = {}

    def add(self, message: DeliverSm) -> str | None:
        """The whole text once its last part is here; None before."""
        place = segment_of(message)
        if place.total == 1:
            return gsm.decode(place.data, message.data_coding)
        now = time.monotonic()
        self._forget(now)
        parts = self._texts.setdefault(_key(message, place), _Parts(now))
        parts.data[place.number] = place.data
        if len(parts.data) < place.total:
            return None
        joined = b"".join(parts.data[n] for n in sorted(parts.data))
        return gsm.decode(joined, message.data_coding)

    def done(self, message: DeliverSm) -> None:
        """Forget a text that was acted on; before that, its last part may come again."""
        self._texts.pop(_key(message, segment_of(message)), None)

    def _forget(self, now: float) -> None:
        for key in [k for k, parts in self._texts.items() if now - parts.since > KEPT_SECONDS]:
            del self._texts[key]
        while len(self._texts) >= KEPT_TEXTS:
            del self._texts[next(iter(self._texts))]


def _key(message: DeliverSm, place: Segment) -> Key:
    return message.source_addr, message.destination_addr, place.reference, place.total


def receipt_of(message: DeliverSm) -> PartReceipt | None:
    """The receipt in a deliver_sm, from its TLVs and its text; None when it names no message."""
    parsed = receipt.parse(message.payload)
    provider_id = message.receipted_message_id or (parsed.message_id if parsed else "")
    state = message.message_state
    if state in receipt.STATES:
        name = receipt.STATES[MessageState(state)]
    elif parsed is not None:
        name = receipt.STATES[parsed.state]
    else:
        return None
    if not provider_id:
        return None
    return PartReceipt(provider_id, name, parsed.error if parsed else "", message.destination_addr)


def inbound_of(message: DeliverSm, text: str) -> InboundSms:
    """The text of a person. The id is that of its words and numbers within the same minute."""
    sender = _number(message.source_addr, message.source_addr_ton)
    minute = str(int(time.time()) // 60)
    to = _number(message.destination_addr, message.dest_addr_ton)
    inbound_id = derived_id("inbound", sender, to, text, minute)
    return InboundSms(inbound_id, sender, to, text)


def _number(address: str, ton: int) -> str:
    """E.164: centres write international numbers with or without the plus."""
    if ton == _INTERNATIONAL and address.isdigit():
        return f"+{address}"
    return address
