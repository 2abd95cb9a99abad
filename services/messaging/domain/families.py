"""Families of channels: what speaks to one kind of provider shares queues and workers."""

from typing import Final

APNS_TYPES: Final = ("APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX")
PUSH_TYPES: Final = (*APNS_TYPES, "GCM", "ADM", "BAIDU")
CUSTOM: Final = "CUSTOM"
MEMBERS: Final = {
    "email": ("EMAIL",),
    "sms": ("SMS",),
    "apns": APNS_TYPES,
    "gcm": ("GCM",),
    "adm": ("ADM",),
    "baidu": ("BAIDU",),
    "voice": ("VOICE",),
    "custom": (CUSTOM,),
}
"""Channel types by family."""
TAKES_OUR_ID: Final = frozenset({CUSTOM, *APNS_TYPES})
"""Channels whose provider is told an id of ours that makes a repeat harmless: a webhook's receiver
takes a message once, and a second notification takes the place of the first on the device."""
_FAMILIES: Final = {member: name for name, members in MEMBERS.items() for member in members}


def lists_of(channel_type: str) -> tuple[str, ...]:
    """The channels on whose suppression list an address of a channel may stand.

    A webhook may deliver to endpoints of other channels, and who said STOP there means it.
    """
    return (CUSTOM, "EMAIL", "SMS") if channel_type == CUSTOM else (channel_type,)


def family(channel_type: str) -> str:
    """The family of a channel type, which names its queues; one of its own when it has none."""
    return _FAMILIES.get(channel_type, channel_type.lower())
