"""Channels whose settings are one flat value; fields without a repr are its secrets."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, Final, TypeAlias

from libs.mongo.client import Document
from services.messaging.domain.families import APNS_TYPES
from services.messaging.domain.push_channels import (
    AdmChannel,
    ApnsChannel,
    BaiduChannel,
    GcmChannel,
    PushChannel,
)
from services.messaging.domain.voice_channel import VoiceChannel

FlatChannel: TypeAlias = PushChannel | VoiceChannel
KINDS: Final[Mapping[str, type[FlatChannel]]] = {
    **dict.fromkeys(APNS_TYPES, ApnsChannel),
    "GCM": GcmChannel,
    "ADM": AdmChannel,
    "BAIDU": BaiduChannel,
    "VOICE": VoiceChannel,
}
"""What a channel of a type is."""


def secrets_of(channel: FlatChannel) -> dict[str, str]:
    """The secrets by name; those not given are empty."""
    return {name: getattr(channel, name) for name in _names(type(channel))}


def settings_of(channel: FlatChannel) -> Document:
    """The settings as they are kept, without secrets."""
    return asdict(channel) | dict.fromkeys(_names(type(channel)), "")


def channel_of(channel_type: str, settings: Document, secrets: Mapping[str, str]) -> FlatChannel:
    """The value of kept settings; a field that is newer than they are takes its default."""
    kind = KINDS[channel_type]
    known = {field.name for field in fields(kind)}
    values: dict[str, Any] = {name: value for name, value in settings.items() if name in known}
    return kind(**{**values, **secrets})


def _names(kind: type[FlatChannel]) -> list[str]:
    return [field.name for field in fields(kind) if not field.repr]
