"""Push notifications written into a campaign: what is allowed, and which service gets which."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from libs.errors import Violations
from libs.json_object import json_object

APNS_TYPES: Final = ("APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX")
SERVICE_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(APNS_TYPES, "apns"),
    "GCM": "gcm",
    "ADM": "adm",
    "BAIDU": "baidu",
}
"""The push service of a channel type: the name of its message and of its part of a template."""
PUSH_TYPES: Final = frozenset(SERVICE_OF)
LONGEST_LIFE: Final[Mapping[str, int]] = {"gcm": 2_419_200, "baidu": 604_800}
"""Seconds a service keeps a notification at most (spec 6.5)."""
ACTIONS: Final = frozenset({"", "OPEN_APP", "DEEP_LINK", "URL"})
TEXTS: Final = (
    "title",
    "body",
    "url",
    "image_icon_url",
    "image_small_icon_url",
    "image_url",
    "media_url",
)
"""Fields that hold a template each."""
_LONGEST_BODY: Final = 200
_LONGEST_TEXT: Final[Mapping[str, int]] = {"adm": 6000}  # of the others 4,000 (spec 5.1)


@dataclass(frozen=True, slots=True)
class PushMessage:
    """A notification (Pinpoint `Message`). `time_to_live` is in seconds; None leaves it open."""

    title: str = ""
    body: str = ""
    action: str = ""
    url: str = ""
    image_icon_url: str = ""
    image_small_icon_url: str = ""
    image_url: str = ""
    json_body: str = ""
    media_url: str = ""
    raw_content: str = ""
    silent_push: bool = False
    time_to_live: int | None = None


@dataclass(frozen=True, slots=True)
class PushMessages:
    """A treatment's notifications, one a service; `default` is for services without their own."""

    default: PushMessage | None = None
    apns: PushMessage | None = None
    gcm: PushMessage | None = None
    adm: PushMessage | None = None
    baidu: PushMessage | None = None

    def of(self, channel_type: str) -> PushMessage | None:
        """The message of a channel type: its own, else the default (spec 8.2)."""
        own: PushMessage | None = getattr(self, SERVICE_OF[channel_type])
        return own or self.default

    @property
    def channels(self) -> frozenset[str]:
        """The channel types there is a message for."""
        return frozenset(one for one in PUSH_TYPES if self.of(one))

    def given(self) -> Iterator[tuple[str, PushMessage]]:
        """Every message that is there, after the name of its service; `default` is one too."""
        for service in ("default", "apns", "gcm", "adm", "baidu"):
            if message := getattr(self, service):
                yield service, message


def life_at(channel_type: str, seconds: int | None) -> int | None:
    """The time to live as a service takes it: a default message's may be longer than allowed."""
    service = SERVICE_OF[channel_type]
    if seconds is None or service == "adm":
        return None
    return min(seconds, LONGEST_LIFE.get(service, seconds))


def check_push(found: Violations, push: PushMessages, path: str) -> None:
    """Note every bad field of the messages under `path`, which ends where their names begin."""
    for service, message in push.given():
        where = f"{path}{service}_message"
        _check_words(found, message, where)
        _check_lengths(found, message, _LONGEST_TEXT.get(service, 4000), where)
        _check_json(found, message, where)
        _check_life(found, service, message.time_to_live, f"{where}.time_to_live")
        if service == "apns" or (service == "default" and push.apns is None):
            _check_apple(found, service, message, where)


def _check_words(found: Violations, message: PushMessage, path: str) -> None:
    says = message.title.strip() or message.body.strip() or message.raw_content
    found.check(says or message.silent_push, f"{path}.body", "needs a title, body or raw_content")
    found.check(message.action in ACTIONS, f"{path}.action", "is not known")
    leads = message.action in {"DEEP_LINK", "URL"} and not message.raw_content
    found.check(message.url.strip() or not leads, f"{path}.url", "is required by the action")


def _check_lengths(found: Violations, message: PushMessage, longest: int, path: str) -> None:
    for field in (*TEXTS, "raw_content", "json_body"):
        most = _LONGEST_BODY if field == "body" else longest
        fine = len(getattr(message, field)) <= most
        found.check(fine, f"{path}.{field}", f"no more than {most} characters")


def _check_json(found: Violations, message: PushMessage, path: str) -> None:
    for field in ("raw_content", "json_body"):
        text = getattr(message, field)
        fine = not text or json_object(text) is not None
        found.check(fine, f"{path}.{field}", "must be a JSON object")


def _check_life(found: Violations, service: str, seconds: int | None, field: str) -> None:
    if seconds is None:
        return
    if service == "adm":
        found.add(field, "Amazon devices take none")
        return
    longest = LONGEST_LIFE["gcm"] if service == "default" else LONGEST_LIFE.get(service)
    if longest is None:
        found.check(seconds >= 0, field, "must not be negative")
    else:
        found.check(0 <= seconds <= longest, field, f"must be 0 to {longest}")


def _check_apple(found: Violations, service: str, message: PushMessage, path: str) -> None:
    """What the gateway would refuse of everyone's message: better said to the author."""
    raw = json_object(message.raw_content)
    if message.silent_push and not message.raw_content:
        for field in ("title", "body"):
            told = "a silent push to Apple devices has none"
            found.check(not getattr(message, field), f"{path}.{field}", told)
    if service == "apns" and raw is not None:
        aps = raw.get("aps")
        value = aps.get("content-available", 0) if isinstance(aps, dict) else None
        fine = type(value) is int and value in {0, 1}  # True is 1 to Python and not to Apple
        told = "needs aps, whose content-available must be 0 or 1"
        found.check(fine, f"{path}.raw_content", told)
        shows = isinstance(aps, dict) and not aps.keys().isdisjoint(("alert", "badge", "sound"))
        told = "a silent push has no alert, badge or sound"
        found.check(not (message.silent_push and shows), f"{path}.raw_content", told)


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
