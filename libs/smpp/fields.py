"""The field encodings of SMPP 3.4 section 3.1: C-octet strings and optional parameters."""

from struct import Struct
from typing import Final, NamedTuple

from libs.smpp.codes import CommandStatus

_TLV: Final = Struct(">HH")


class PduError(ValueError):
    """A value that does not fit its field; `status` is the standard's name for the reason."""

    def __init__(self, message: str, status: CommandStatus) -> None:
        super().__init__(message)
        self.status = status


class Text(NamedTuple):
    """A C-octet string field: its greatest size including the final NUL (section 3.1)."""

    name: str
    size: int
    status: CommandStatus = CommandStatus.ESME_RINVPARLEN


SYSTEM_ID: Final = Text("system_id", 16, CommandStatus.ESME_RINVSYSID)
PASSWORD: Final = Text("password", 9, CommandStatus.ESME_RINVPASWD)
SYSTEM_TYPE: Final = Text("system_type", 13, CommandStatus.ESME_RINVSYSTYP)
ADDRESS_RANGE: Final = Text("address_range", 41)
SERVICE_TYPE: Final = Text("service_type", 6, CommandStatus.ESME_RINVSERTYP)
SOURCE: Final = Text("source_addr", 21, CommandStatus.ESME_RINVSRCADR)
DESTINATION: Final = Text("destination_addr", 21, CommandStatus.ESME_RINVDSTADR)
SCHEDULE: Final = Text("schedule_delivery_time", 17, CommandStatus.ESME_RINVSCHED)
VALIDITY: Final = Text("validity_period", 17, CommandStatus.ESME_RINVEXPIRY)
MESSAGE_ID: Final = Text("message_id", 65, CommandStatus.ESME_RINVMSGID)


def put_text(value: str, text: Text) -> bytes:
    """Return a NUL-terminated string; PduError when it is too long or not Latin-1."""
    try:
        raw = value.encode("latin-1")
    except UnicodeEncodeError:
        raise PduError(f"{text.name} holds a character outside Latin-1", text.status) from None
    if len(raw) >= text.size or b"\0" in raw:
        raise PduError(f"{text.name} is at most {text.size - 1} octets, without NUL", text.status)
    return raw + b"\0"


def get_text(data: bytes, at: int, text: Text) -> tuple[str, int]:
    """Read the string at `at`, and say where the next field starts."""
    end = data.index(0, at)
    if end - at >= text.size:
        raise PduError(f"{text.name} is longer than {text.size - 1} octets", text.status)
    return data[at:end].decode("latin-1"), end + 1


def put_tlvs(tlvs: dict[int, bytes]) -> bytes:
    """Write tag, length and value of each, in the order of the mapping."""
    return b"".join([_TLV.pack(tag, len(value)) + value for tag, value in tlvs.items()])


def get_tlvs(data: bytes, at: int) -> dict[int, bytes]:
    """Read every optional parameter from `at` to the end; a repeated tag keeps its last value."""
    tlvs: dict[int, bytes] = {}
    end = len(data)
    while at < end:
        if end - at < _TLV.size:
            raise PduError("a TLV is cut short", CommandStatus.ESME_RINVOPTPARSTREAM)
        tag, length = _TLV.unpack_from(data, at)
        at += _TLV.size
        if at + length > end:
            raise PduError("a TLV runs past its PDU", CommandStatus.ESME_RINVOPTPARSTREAM)
        tlvs[tag] = data[at : at + length]
        at += length
    return tlvs
