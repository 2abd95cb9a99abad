"""What may be wrong with a notification before it is rendered, by service (spec 6.5)."""

from typing import Final

from libs.errors import Violations
from libs.json_object import json_object
from services.messaging.domain.families import APNS_TYPES
from services.messaging.domain.push.adm import checksum
from services.messaging.domain.push.notification import PRIORITIES, Notification

PUSH_TYPES: Final = ("alert", "background", "complication", "fileprovider", "mdm", "voip")
_LONGEST_COLLAPSE_ID: Final = 64
_TIMES_TO_LIVE: Final = {"GCM": (0, 2_419_200), "BAIDU": (0, 604_800), "ADM": (60, 2_678_400)}
_AUTHENTICATIONS: Final = {"GCM": ("TOKEN",)}
_APNS_AUTHENTICATIONS: Final = ("KEY", "TOKEN", "CERTIFICATE")
_LONGEST_TEXT: Final = 4000


def check(channel_type: str, one: Notification) -> Violations:
    """Every field that is wrong, by its name in `Notification`."""
    found = Violations()
    is_apple = channel_type in APNS_TYPES
    for name in ("title", "body", "raw_content"):
        fine = len(getattr(one, name)) <= _LONGEST_TEXT
        found.check(fine, name, f"is longer than {_LONGEST_TEXT:,} characters")
    needs_url = one.action in {"DEEP_LINK", "URL"} and not one.raw_content
    found.check(not needs_url or one.url, "url", f"is needed beside {one.action}")
    if one.raw_content:
        found.check(
            json_object(one.raw_content) is not None, "raw_content", "must be a JSON object"
        )
    fine = not one.priority or one.priority.lower() in PRIORITIES
    found.check(fine, "priority", "must be normal or high, or 5 or 10")
    _check_time(found, channel_type, one)
    _check_authentication(found, channel_type, one)
    if is_apple:
        _check_apple(found, one)
    fine = not one.md5 or one.md5 == checksum(one.data)
    found.check(fine, "md5", "is not the checksum of data")
    return found


def _check_time(found: Violations, channel_type: str, one: Notification) -> None:
    if one.time_to_live is None:
        return
    least, most = _TIMES_TO_LIVE.get(channel_type, (0, 2_147_483_647))
    fine = least <= one.time_to_live <= most
    found.check(fine, "time_to_live", f"must be {least:,} to {most:,} seconds")


def _check_authentication(found: Violations, channel_type: str, one: Notification) -> None:
    known = _AUTHENTICATIONS.get(channel_type, _APNS_AUTHENTICATIONS)
    fine = not one.authentication or one.authentication.upper() in known
    found.check(fine, "authentication", f"must be {' or '.join(known)}")


def _check_apple(found: Violations, one: Notification) -> None:
    fine = len(one.collapse_key.encode()) <= _LONGEST_COLLAPSE_ID
    found.check(fine, "collapse_key", f"is longer than {_LONGEST_COLLAPSE_ID} bytes")
    fine = not one.push_type or one.push_type in PUSH_TYPES
    found.check(fine, "push_type", f"must be one of {', '.join(PUSH_TYPES)}")
    found.check(one.badge is None or one.badge >= 0, "badge", "must not be negative")
    if one.silent_push and not one.raw_content:
        for name in ("title", "body", "sound"):
            found.check(not getattr(one, name), name, "is nothing for a silent push")
        found.check(one.badge is None, "badge", "is nothing for a silent push")
