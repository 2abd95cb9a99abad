"""Holds: what an operator has stopped, of an application, a channel or a campaign."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Scope:
    """What is stopped: a channel, a campaign, or everything when neither is named."""

    channel_type: str = ""
    campaign_id: str = ""

    @property
    def key(self) -> str:
        """Its name among the scopes of an application."""
        if self.channel_type:
            return f"channel/{self.channel_type}"
        return f"campaign/{self.campaign_id}" if self.campaign_id else "*"

    def covers(self, channel_type: str, campaign_id: str) -> bool:
        """Whether a message on a channel, of a campaign or of none, is stopped."""
        if self.channel_type:
            return self.channel_type == channel_type
        return not self.campaign_id or self.campaign_id == campaign_id


@dataclass(frozen=True, slots=True)
class Hold:
    """Something that is stopped, or was: `release_time` is set once it goes on."""

    app_id: str
    scope: Scope
    reason: str
    hold_time: datetime
    release_time: datetime | None = None


def is_held(holds: Iterable[Hold], channel_type: str, campaign_id: str = "") -> bool:
    """Whether any of the holds stops a message."""
    return any(one.scope.covers(channel_type, campaign_id) for one in holds)
