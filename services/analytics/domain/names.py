"""The standard event names (spec 3.2): which a client may send, which name a message's outcome."""

from typing import Final


def _family(prefix: str, names: str) -> frozenset[str]:
    return frozenset(prefix + name for name in names.split())


_SEEN: Final = "opened_notification received_foreground received_background"

# What an app sees itself; every other standard event is told by the services alone.
FROM_CLIENTS: Final = frozenset(
    _family("_session.", "start stop pause resume")
    | _family("_userauth.", "sign_in sign_up auth_fail")
    | {"_monetization.purchase", "_screen_view"}
    | _family("_campaign.", _SEEN)
    | _family("_journey.", _SEEN)
)

# Told once a message: their event id is derived from the message's and from their name.
OUTCOMES: Final = frozenset(
    {"_campaign.send", "_journey.send"}
    | _family("_email.", "send delivered rejected hardbounce softbounce rendering_failure")
    | _family("_SMS.", "BUFFERED SUCCESS FAILURE")
)


def is_reserved(event_type: str) -> bool:
    """Whether a client may not send events of this name."""
    return event_type.startswith("_") and event_type not in FROM_CLIENTS
