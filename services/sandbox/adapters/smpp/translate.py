"""Between SMPP units and what the sandbox decides about."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from libs.smpp import gsm, receipt
from libs.smpp.codes import (
    ESM_DELIVERY_RECEIPT,
    ESM_UDHI,
    REGISTERED_ALWAYS,
    REGISTERED_MASK,
    REGISTERED_ON_FAILURE,
    MessageState,
    Tag,
)
from libs.smpp.pdu import DeliverSm, SubmitSm
from libs.smpp.segments import segment_of
from libs.smpp.session import Session
from services.sandbox.domain.traffic import Inbound, Report, Submission

_ENCODINGS: Final = {0: "GSM_7", 1: "IA5", 3: "LATIN_1", 8: "UCS_2"}
_STATES: Final = {name: state for state, name in receipt.STATES.items()}


def submission_of(session: Session, message: SubmitSm) -> Submission:
    """Translate a submit_sm; the times are those of the read that brought it."""
    place = segment_of(message)
    registered = message.registered_delivery & REGISTERED_MASK
    return Submission(
        sender=message.source_addr,
        to=message.destination_addr,
        data=place.data,
        encoding=_ENCODINGS.get(message.data_coding, f"0x{message.data_coding:02X}"),
        decode=_decoder(message.data_coding),
        reference=place.reference,
        total=place.total,
        number=place.number,
        wants_receipt=registered == REGISTERED_ALWAYS,
        wants_failure_receipt=registered == REGISTERED_ON_FAILURE,
        wall_ns=session.received_wall_ns,
        steady_ns=session.received_ns,
    )


def _decoder(data_coding: int) -> Callable[[bytes], str]:
    return partial(gsm.decode, data_coding=data_coding)


def receipt_of(report: Report) -> DeliverSm:
    """Write a delivery receipt, as text and as TLVs."""
    state = _STATES.get(report.state, MessageState.UNKNOWN)
    text = receipt.Receipt(
        report.message_id,
        state,
        datetime.fromtimestamp(report.submitted_ns / 1e9, UTC),
        datetime.now(UTC),
        report.error,
        delivered=int(state is MessageState.DELIVERED),
        text=report.text,
    )
    return DeliverSm(
        source_addr=report.to,
        destination_addr=report.sender,
        short_message=receipt.build(text),
        esm_class=ESM_DELIVERY_RECEIPT,
        source_addr_ton=1,
        source_addr_npi=1,
        tlvs={
            Tag.RECEIPTED_MESSAGE_ID: report.message_id.encode() + b"\0",
            Tag.MESSAGE_STATE: bytes((state,)),
        },
    )


def messages_of(inbound: Inbound, reference: int) -> list[DeliverSm]:
    """Write a person's message, in as many parts as it takes."""
    encoding, _ = gsm.encode(inbound.text)
    pieces = gsm.split(inbound.text, reference)
    return [
        DeliverSm(
            source_addr=inbound.sender,
            destination_addr=inbound.to,
            short_message=piece,
            data_coding=encoding.data_coding,
            esm_class=ESM_UDHI if len(pieces) > 1 else 0,
            source_addr_ton=1,
            source_addr_npi=1,
        )
        for piece in pieces
    ]
