"""Bytes to PDUs and back: `encode`, `decode` and the streaming `Decoder`."""

from collections.abc import Callable
from struct import Struct
from struct import error as StructError  # noqa: N812 - it is a class
from typing import Final

from libs.smpp import pdu as units
from libs.smpp.codes import CommandStatus
from libs.smpp.fields import (
    ADDRESS_RANGE,
    DESTINATION,
    MESSAGE_ID,
    PASSWORD,
    SCHEDULE,
    SERVICE_TYPE,
    SOURCE,
    SYSTEM_ID,
    SYSTEM_TYPE,
    VALIDITY,
    PduError,
    get_text,
    get_tlvs,
    put_text,
    put_tlvs,
)
from libs.smpp.pdu import Bind, BindResp, Invalid, Pdu, ShortMessage

# Section 3.2: length, id, status, sequence. 64 KiB of TLV payload plus the mandatory fields fit.
HEADER: Final = Struct(">IIII")
MAX_PDU_SIZE: Final = 70_000
MAX_SHORT_MESSAGE: Final = 254

_PAIR: Final = Struct(">BB")
_TRIPLE: Final = Struct(">BBB")
_FLAGS: Final = Struct(">BBBBB")
_MessageResp = units.SubmitSmResp | units.DeliverSmResp


def encode(pdu: Pdu) -> bytes:
    """Return the wire form of one PDU; PduError when a field is too long or not Latin-1."""
    body = _WRITERS[type(pdu)](pdu)
    return HEADER.pack(16 + len(body), pdu.COMMAND, pdu.status, pdu.sequence) + body


def decode(data: bytes) -> Pdu:
    """Read one whole PDU; anything unreadable comes back as `Invalid`, never as an exception."""
    _, command, status, sequence = HEADER.unpack_from(data)
    found = _READERS.get(command)
    if found is None:
        return Invalid(sequence, CommandStatus.ESME_RINVCMDID, command)
    kind, read = found
    try:
        return read(kind, data, status, sequence)
    except PduError as error:
        return Invalid(sequence, error.status, command)
    except (ValueError, StructError):
        return Invalid(sequence, CommandStatus.ESME_RINVMSGLEN, command)


class Decoder:
    """Cuts a byte stream into PDUs; after an `Invalid.is_fatal` it ignores whatever follows."""

    def __init__(self, max_size: int = MAX_PDU_SIZE) -> None:
        self._max_size = max_size
        self._rest = b""
        self._is_broken = False

    def feed(self, data: bytes) -> list[Pdu]:
        """Return the PDUs completed by `data`, in order; holds at most one incomplete PDU."""
        if self._is_broken:
            return []
        buffer = self._rest + data if self._rest else data
        found: list[Pdu] = []
        at, end = 0, len(buffer)
        while end - at >= HEADER.size:
            length = int.from_bytes(buffer[at : at + 4], "big")
            if not HEADER.size <= length <= self._max_size:
                found.append(self._broken(buffer, at))
                return found
            if end - at < length:
                break
            found.append(decode(buffer[at : at + length]))
            at += length
        self._rest = buffer[at:]
        return found

    def _broken(self, buffer: bytes, at: int) -> Invalid:
        self._is_broken, self._rest = True, b""
        _, command, _, sequence = HEADER.unpack_from(buffer, at)
        return Invalid(sequence, CommandStatus.ESME_RINVCMDLEN, command, is_fatal=True)


def _write_bind(pdu: Bind) -> bytes:
    return b"".join(
        (
            put_text(pdu.system_id, SYSTEM_ID),
            put_text(pdu.password, PASSWORD),
            put_text(pdu.system_type, SYSTEM_TYPE),
            _TRIPLE.pack(pdu.interface_version, pdu.addr_ton, pdu.addr_npi),
            put_text(pdu.address_range, ADDRESS_RANGE),
        )
    )


def _write_bind_resp(pdu: BindResp) -> bytes:
    return put_text(pdu.system_id, SYSTEM_ID) + put_tlvs(pdu.tlvs)


def _write_message(pdu: ShortMessage) -> bytes:
    text = pdu.short_message
    if len(text) > MAX_SHORT_MESSAGE:
        raise PduError("short_message is at most 254 octets", CommandStatus.ESME_RINVMSGLEN)
    return b"".join(
        (
            put_text(pdu.service_type, SERVICE_TYPE),
            _PAIR.pack(pdu.source_addr_ton, pdu.source_addr_npi),
            put_text(pdu.source_addr, SOURCE),
            _PAIR.pack(pdu.dest_addr_ton, pdu.dest_addr_npi),
            put_text(pdu.destination_addr, DESTINATION),
            _TRIPLE.pack(pdu.esm_class, pdu.protocol_id, pdu.priority_flag),
            put_text(pdu.schedule_delivery_time, SCHEDULE),
            put_text(pdu.validity_period, VALIDITY),
            _FLAGS.pack(
                pdu.registered_delivery,
                pdu.replace_if_present_flag,
                pdu.data_coding,
                pdu.sm_default_msg_id,
                len(text),
            ),
            text,
            put_tlvs(pdu.tlvs),
        )
    )


def _write_message_resp(pdu: _MessageResp) -> bytes:
    return put_text(pdu.message_id, MESSAGE_ID)


def _write_header(_: Pdu) -> bytes:
    return b""


def _read_bind(kind: type[Bind], data: bytes, status: int, sequence: int) -> Pdu:
    system_id, at = get_text(data, HEADER.size, SYSTEM_ID)
    password, at = get_text(data, at, PASSWORD)
    system_type, at = get_text(data, at, SYSTEM_TYPE)
    version, ton, npi = _TRIPLE.unpack_from(data, at)
    address_range, _ = get_text(data, at + 3, ADDRESS_RANGE)
    return kind(
        sequence, status, system_id, password, system_type, version, ton, npi, address_range
    )


def _read_bind_resp(kind: type[BindResp], data: bytes, status: int, sequence: int) -> Pdu:
    if len(data) == HEADER.size:
        return kind(sequence, status)
    system_id, at = get_text(data, HEADER.size, SYSTEM_ID)
    return kind(sequence, status, system_id, get_tlvs(data, at))


def _read_message(kind: type[ShortMessage], data: bytes, status: int, sequence: int) -> Pdu:
    service_type, at = get_text(data, HEADER.size, SERVICE_TYPE)
    source_ton, source_npi = _PAIR.unpack_from(data, at)
    source, at = get_text(data, at + 2, SOURCE)
    dest_ton, dest_npi = _PAIR.unpack_from(data, at)
    destination, at = get_text(data, at + 2, DESTINATION)
    esm_class, protocol_id, priority = _TRIPLE.unpack_from(data, at)
    schedule, at = get_text(data, at + 3, SCHEDULE)
    validity, at = get_text(data, at, VALIDITY)
    registered, replace, coding, canned, length = _FLAGS.unpack_from(data, at)
    at += _FLAGS.size
    end = at + length
    if length > MAX_SHORT_MESSAGE or end > len(data):
        raise PduError("sm_length runs past its PDU", CommandStatus.ESME_RINVMSGLEN)
    return kind(
        sequence, status, source, destination, data[at:end], coding, esm_class, registered,
        source_ton, source_npi, dest_ton, dest_npi, service_type, protocol_id, priority,
        schedule, validity, replace, canned, get_tlvs(data, end),
    )  # fmt: skip


def _read_message_resp(kind: type[_MessageResp], data: bytes, status: int, sequence: int) -> Pdu:
    # Section 4.4.2: the body is left out when the status is an error.
    if len(data) == HEADER.size:
        return kind(sequence, status)
    return kind(sequence, status, get_text(data, HEADER.size, MESSAGE_ID)[0])


def _read_header(kind: type[Pdu], _: bytes, status: int, sequence: int) -> Pdu:
    return kind(sequence, status)


_BINDS: Final = (units.BindReceiver, units.BindTransmitter, units.BindTransceiver)
_BIND_RESPS: Final = (
    units.BindReceiverResp,
    units.BindTransmitterResp,
    units.BindTransceiverResp,
)
_HEADERS: Final = (
    units.EnquireLink,
    units.EnquireLinkResp,
    units.Unbind,
    units.UnbindResp,
    units.GenericNack,
)
_Family = tuple[tuple[type[Pdu], ...], Callable[..., bytes], Callable[..., Pdu]]
_FAMILIES: Final[tuple[_Family, ...]] = (
    (_BINDS, _write_bind, _read_bind),
    (_BIND_RESPS, _write_bind_resp, _read_bind_resp),
    ((units.SubmitSm, units.DeliverSm), _write_message, _read_message),
    ((units.SubmitSmResp, units.DeliverSmResp), _write_message_resp, _read_message_resp),
    (_HEADERS, _write_header, _read_header),
)
_WRITERS: Final = {kind: write for kinds, write, _ in _FAMILIES for kind in kinds}
_READERS: Final = {
    int(kind.COMMAND): (kind, read) for kinds, _, read in _FAMILIES for kind in kinds
}
