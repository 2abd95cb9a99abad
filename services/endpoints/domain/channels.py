"""Channels and the families in which an address is unique (spec 1.8, 2.5)."""

from collections.abc import Collection
from typing import Final

PUSH_FAMILY: Final = frozenset(
    {
        "PUSH",
        "GCM",
        "APNS",
        "APNS_SANDBOX",
        "APNS_VOIP",
        "APNS_VOIP_SANDBOX",
        "ADM",
        "BAIDU",
    }
)
CHANNELS: Final = PUSH_FAMILY | {"SMS", "VOICE", "EMAIL", "CUSTOM", "IN_APP"}

# Endpoints that a newer one of the same user may push out when the user has too many (spec 2.5.2).
# The table does not name APNS_SANDBOX; it is a device like the others. PUSH is none by itself.
REPLACEABLE: Final = PUSH_FAMILY - {"PUSH"}


def family(channel_type: str) -> str:
    """The family of a channel: all push services are one, every other channel stands alone."""
    return "PUSH" if channel_type in PUSH_FAMILY else channel_type


def meant(channel_types: Collection[str]) -> frozenset[str]:
    """The channels a test names: PUSH stands for the whole push family (spec 4.3)."""
    named = frozenset(channel_types)
    return named | PUSH_FAMILY if "PUSH" in named else named
