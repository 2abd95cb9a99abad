"""Conversions between protobuf timestamps and aware datetimes; an unset timestamp is None."""

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from libs.errors import InvalidFields, Violation


def to_timestamp(moment: datetime | None) -> Timestamp | None:
    """A timestamp for a proto field; None leaves the field unset."""
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment.astimezone(UTC))
    return stamp


def from_timestamp(stamp: Timestamp, field: str = "time") -> datetime | None:
    """The aware instant of a set timestamp; None for an unset (zero) one.

    Raises InvalidFields naming `field` when it lies outside the years 1 to 9999.
    """
    if stamp.seconds == 0 and stamp.nanos == 0:
        return None
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidFields([Violation(field, "is not a valid time")]) from error


def set_instant(owner: Message, field: str) -> datetime | None:
    """The aware instant of a timestamp field that is set, 1970 included; None when it is not.

    Raises InvalidFields naming the field when it lies outside the years 1 to 9999.
    """
    if not owner.HasField(field):
        return None
    try:
        moment: datetime = getattr(owner, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidFields([Violation(field, "is not a valid time")]) from error
    return moment
