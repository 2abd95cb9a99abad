"""The standard event names (spec 3.2); any other name that starts with `_` is reserved."""

from typing import Final


def _family(prefix: str, names: str) -> frozenset[str]:
    return frozenset(prefix + name for name in names.split())


_SESSION: Final = _family("_session.", "start stop pause resume")
_AUTH: Final = _family("_userauth.", "sign_in sign_up auth_fail")
_PUSHED: Final = "send opened_notification received_foreground received_background"
_EMAIL: Final = _family(
    "_email.",
    "send delivered rejected hardbounce softbounce complaint open click unsubscribe"
    " rendering_failure",
)
_SMS: Final = _family("_SMS.", "BUFFERED SUCCESS FAILURE OPTOUT SEND RECEIVED")

STANDARD: Final = frozenset(
    _SESSION
    | _AUTH
    | {"_monetization.purchase", "_screen_view"}
    | _family("_campaign.", _PUSHED)
    | _family("_journey.", _PUSHED)
    | _EMAIL
    | _SMS
)


def is_reserved(event_type: str) -> bool:
    """Whether a name is neither the caller's own nor a standard one."""
    return event_type.startswith("_") and event_type not in STANDARD
