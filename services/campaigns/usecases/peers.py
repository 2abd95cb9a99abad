"""The other services, together."""

from dataclasses import dataclass

from services.campaigns.clients.audience import AudienceClient
from services.campaigns.clients.contents import (
    ContentsClient,
    SettingsClient,
)
from services.campaigns.clients.dispatch import DispatchClient
from services.campaigns.clients.segments import SegmentsClient


@dataclass(frozen=True, slots=True)
class Peers:
    """The other services."""

    segments: SegmentsClient
    audience: AudienceClient
    contents: ContentsClient
    settings: SettingsClient
    dispatch: DispatchClient
