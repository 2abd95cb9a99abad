"""Serialized events inside a serialized EventBatch: joined and taken apart without a copy of each.

An EventBatch is one repeated field of messages, number 1: on the wire each event is the tag byte
0x0A, its length as a varint, and its bytes (protobuf encoding, "Length-Delimited Records").
"""

from collections.abc import Iterable, Iterator
from typing import Final

_TAG: Final = 0x0A


class NotFrames(ValueError):
    """The bytes are no such message; whoever parses them properly will say why."""


def joined(events: Iterable[bytes]) -> bytes:
    """The serialized EventBatch of serialized events."""
    return b"".join([part for event in events for part in (_head(len(event)), event)])


def _head(size: int) -> bytes:
    head = bytearray((_TAG,))
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head)


def taken_apart(body: bytes) -> Iterator[bytes]:
    """The serialized events of a serialized EventBatch. Raises NotFrames."""
    at, end = 0, len(body)
    while at < end:
        if body[at] != _TAG:
            raise NotFrames("a field of another kind")
        size, start = _length(body, at + 1)
        at = start + size
        if at > end:
            raise NotFrames("cut off")
        yield body[start:at]


def _length(body: bytes, at: int) -> tuple[int, int]:
    size = shift = 0
    while at < len(body) and shift < 35:
        byte = body[at]
        size |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return size, at
        shift += 7
    raise NotFrames("no length")
