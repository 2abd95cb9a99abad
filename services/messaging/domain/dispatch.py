"""Dispatches: one occurrence of something that sends, and what it may do."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.messaging.domain.ledger import WAITING, Origin, State

DIRECT_LIFETIME: Final = timedelta(hours=24)
"""A direct message that could not be sent for a day is of no use to anybody."""
CONTENT_KEPT: Final = timedelta(days=30)
"""Contents outlive their dispatch this long: an operator may still resend UNKNOWN messages."""
SETTLING: Final = timedelta(seconds=10)
"""Workers obey a control within two seconds; rows they still change are seen to for this long."""


class Control(StrEnum):
    """What a dispatch may do: `DispatchControl` without its prefix."""

    RELEASE = "RELEASE"
    HOLD = "HOLD"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True)
class ContentRef:
    """What a treatment says on a channel. `parts` is the least number of parts, for SMS."""

    treatment_id: str
    channel_type: str
    content_id: str
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One occurrence of something that sends. `messages_per_second` 0 means no limit of its own."""

    dispatch_id: str
    origin: Origin
    message_type: str
    messages_per_second: int
    expire_time: datetime | None
    contents: tuple[ContentRef, ...]
    control: Control = Control.RELEASE

    def content_of(self, treatment_id: str, channel_type: str) -> ContentRef | None:
        """What a treatment says on a channel; None when it says nothing there."""
        for content in self.contents:
            if (content.treatment_id, content.channel_type) == (treatment_id, channel_type):
                return content
        return None


def may_follow(old: Control, new: Control) -> bool:
    """Whether a control may come after another: a cancelled dispatch stays cancelled."""
    return old is not Control.CANCEL or new is Control.CANCEL


def seconds_left(waiting: Iterable[tuple[State, str, int]], rates: Mapping[str, float]) -> int:
    """Estimated seconds until nothing waits, channels sending side by side.

    `waiting` are (state, channel, parts); `rates` are parts a second by channel, where a channel
    without a rate sends at once. HELD messages count: they take that long once released.
    """
    parts: dict[str, int] = {}
    for state, channel_type, count in waiting:
        if state in WAITING or state is State.CLAIMED:
            parts[channel_type] = parts.get(channel_type, 0) + count
    return max(
        (math.ceil(n / rates[channel]) for channel, n in parts.items() if rates.get(channel)),
        default=0,
    )
