"""The protocol data units of SMPP 3.4 as plain values, named field by field as in the standard."""

from dataclasses import dataclass, field
from typing import ClassVar

from libs.smpp.codes import (
    CODING_DEFAULT,
    ESM_DELIVERY_RECEIPT,
    ESM_MESSAGE_TYPE_MASK,
    ESM_UDHI,
    INTERFACE_VERSION,
    CommandId,
    CommandStatus,
    Tag,
)


@dataclass(slots=True)
class Pdu:
    """What every unit carries; `sequence` pairs a response with its request."""

    COMMAND: ClassVar[int]

    sequence: int = 0
    status: int = CommandStatus.ESME_ROK


@dataclass(slots=True)
class Bind(Pdu):
    """A bind request (section 4.1); its subclass says in which direction messages flow."""

    system_id: str = ""
    password: str = ""
    system_type: str = ""
    interface_version: int = INTERFACE_VERSION
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""


@dataclass(slots=True)
class BindReceiver(Bind):
    """Inbound messages and receipts only."""

    COMMAND = CommandId.BIND_RECEIVER


@dataclass(slots=True)
class BindTransmitter(Bind):
    """Submissions only."""

    COMMAND = CommandId.BIND_TRANSMITTER


@dataclass(slots=True)
class BindTransceiver(Bind):
    """Both directions on one connection."""

    COMMAND = CommandId.BIND_TRANSCEIVER


@dataclass(slots=True)
class BindResp(Pdu):
    """The answer to a bind; the body is absent when the status is an error (section 4.1.2)."""

    system_id: str = ""
    tlvs: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class BindReceiverResp(BindResp):
    """Answer to bind_receiver."""

    COMMAND = CommandId.BIND_RECEIVER_RESP


@dataclass(slots=True)
class BindTransmitterResp(BindResp):
    """Answer to bind_transmitter."""

    COMMAND = CommandId.BIND_TRANSMITTER_RESP


@dataclass(slots=True)
class BindTransceiverResp(BindResp):
    """Answer to bind_transceiver."""

    COMMAND = CommandId.BIND_TRANSCEIVER_RESP


@dataclass(slots=True)
class ShortMessage(Pdu):
    """The common body of submit_sm and deliver_sm (sections 4.4.1 and 4.6.1).

    `short_message` is at most 254 octets; longer texts travel in the TLV message_payload
    (`payload` gives whichever is set). `tlvs` maps tag to raw value; a repeated tag keeps its last.
    """

    source_addr: str = ""
    destination_addr: str = ""
    short_message: bytes = b""
    data_coding: int = CODING_DEFAULT
    esm_class: int = 0
    registered_delivery: int = 0
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    service_type: str = ""
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    replace_if_present_flag: int = 0
    sm_default_msg_id: int = 0
    tlvs: dict[int, bytes] = field(default_factory=dict)

    @property
    def payload(self) -> bytes:
        """User data, with its header if `has_header`, wherever the sender put it."""
        return self.short_message or self.tlvs.get(Tag.MESSAGE_PAYLOAD, b"")

    @property
    def has_header(self) -> bool:
        """True when the payload starts with a user data header (UDHI)."""
        return bool(self.esm_class & ESM_UDHI)

    @property
    def is_receipt(self) -> bool:
        """True for a final delivery receipt rather than a message of a person."""
        return self.esm_class & ESM_MESSAGE_TYPE_MASK == ESM_DELIVERY_RECEIPT

    @property
    def receipted_message_id(self) -> str | None:
        """The message a receipt speaks of (TLV 0x001E)."""
        raw = self.tlvs.get(Tag.RECEIPTED_MESSAGE_ID)
        return None if raw is None else raw.rstrip(b"\0").decode("latin-1")

    @property
    def message_state(self) -> int | None:
        """A `MessageState` value (TLV 0x0427), or a vendor's own number."""
        return self.integer(Tag.MESSAGE_STATE)

    @property
    def user_message_reference(self) -> int | None:
        """The sender's own 16 bit reference (TLV 0x0204)."""
        return self.integer(Tag.USER_MESSAGE_REFERENCE)

    def integer(self, tag: int) -> int | None:
        """Read a TLV as a big endian integer; None where it is absent."""
        raw = self.tlvs.get(tag)
        return None if raw is None else int.from_bytes(raw, "big")


@dataclass(slots=True)
class SubmitSm(ShortMessage):
    """A message on its way to a phone."""

    COMMAND = CommandId.SUBMIT_SM


@dataclass(slots=True)
class DeliverSm(ShortMessage):
    """A message or a receipt on its way to the application."""

    COMMAND = CommandId.DELIVER_SM


@dataclass(slots=True)
class SubmitSmResp(Pdu):
    """The message centre's id of the message; empty when the status is an error."""

    COMMAND = CommandId.SUBMIT_SM_RESP

    message_id: str = ""


@dataclass(slots=True)
class DeliverSmResp(Pdu):
    """Acknowledges a deliver_sm; message_id is unused and empty (section 4.6.2)."""

    COMMAND = CommandId.DELIVER_SM_RESP

    message_id: str = ""


@dataclass(slots=True)
class EnquireLink(Pdu):
    """Asks whether the other side is alive."""

    COMMAND = CommandId.ENQUIRE_LINK


@dataclass(slots=True)
class EnquireLinkResp(Pdu):
    """Says that it is."""

    COMMAND = CommandId.ENQUIRE_LINK_RESP


@dataclass(slots=True)
class Unbind(Pdu):
    """Ends a session politely."""

    COMMAND = CommandId.UNBIND


@dataclass(slots=True)
class UnbindResp(Pdu):
    """Agrees to end it."""

    COMMAND = CommandId.UNBIND_RESP


@dataclass(slots=True)
class GenericNack(Pdu):
    """Refuses a unit that could not be read at all."""

    COMMAND = CommandId.GENERIC_NACK


@dataclass(slots=True)
class Invalid(Pdu):
    """A unit that arrived and could not be decoded; never sent.

    `status` says why, `command` is what it claimed to be. `is_fatal` means that the length
    field was impossible, so the start of the next unit is unknown and the link must close.
    """

    command: int = 0
    is_fatal: bool = False
