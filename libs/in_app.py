"""What is allowed in an in-app message (spec 6.7); every bad field is named."""

import re
from typing import Final
from urllib.parse import urlsplit

from google.protobuf.descriptor import EnumDescriptor
from touchpoint.common.v1 import in_app_pb2 as pb

from libs.errors import Violations

MOST_CONTENTS: Final = 5
LONGEST_HEADER: Final = 64
LONGEST_BODY: Final = 150
LONGEST_BUTTON: Final = 64
LARGEST_BYTES: Final = 200_000  # spec 5.1
_COLOR: Final = re.compile(r"#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})")
_LEADING: Final = frozenset({pb.IN_APP_BUTTON_ACTION_LINK, pb.IN_APP_BUTTON_ACTION_DEEP_LINK})
Action = pb.DefaultButtonConfiguration | pb.OverrideButtonConfiguration
Words = pb.InAppMessageHeaderConfig | pb.InAppMessageBodyConfig


def check_in_app(found: Violations, message: pb.InAppMessage, path: str) -> None:
    """Note every bad field of a message under its path in the request."""
    layout = _is_known(pb.InAppLayout.DESCRIPTOR, message.layout)
    found.check(layout, f"{path}.layout", "is required")
    most = MOST_CONTENTS if message.layout == pb.IN_APP_LAYOUT_CAROUSEL else 1
    told = f"1 to {MOST_CONTENTS} contents" if most > 1 else "exactly one content"
    found.check(1 <= len(message.content) <= most, f"{path}.content", told)
    for number, content in enumerate(message.content):
        _check_content(found, content, f"{path}.content[{number}]")
    small = message.ByteSize() <= LARGEST_BYTES
    found.check(small, path, f"no larger than {LARGEST_BYTES} bytes")


def _check_content(found: Violations, content: pb.InAppMessageContent, path: str) -> None:
    _check_color(found, content.background_color, f"{path}.background_color")
    fine = not content.image_url or _is_web_address(content.image_url)
    found.check(fine, f"{path}.image_url", "must be an http or https address")
    if content.HasField("header_config"):
        header = content.header_config
        _check_words(found, header, (header.header, LONGEST_HEADER), f"{path}.header_config")
    if content.HasField("body_config"):
        body = content.body_config
        _check_words(found, body, (body.body, LONGEST_BODY), f"{path}.body_config")
    if content.HasField("primary_btn"):
        _check_button(found, content.primary_btn, f"{path}.primary_btn")
    if content.HasField("secondary_btn"):
        _check_button(found, content.secondary_btn, f"{path}.secondary_btn")


def _check_words(found: Violations, words: Words, text: tuple[str, int], path: str) -> None:
    said, longest = text
    field = f"{path}.{'header' if isinstance(words, pb.InAppMessageHeaderConfig) else 'body'}"
    found.check(said.strip(), field, "is required")
    found.check(len(said) <= longest, field, f"no more than {longest} characters")
    known = _is_known(pb.InAppAlignment.DESCRIPTOR, words.alignment)
    found.check(known, f"{path}.alignment", "is required")
    found.check(words.text_color, f"{path}.text_color", "is required")
    _check_color(found, words.text_color, f"{path}.text_color")


def _check_button(found: Violations, button: pb.InAppMessageButton, path: str) -> None:
    if found.check(button.HasField("default_config"), f"{path}.default_config", "is required"):
        _check_default(found, button.default_config, f"{path}.default_config")
    if button.HasField("android"):
        _check_action(found, button.android, f"{path}.android")
    if button.HasField("ios"):
        _check_action(found, button.ios, f"{path}.ios")
    if button.HasField("web"):
        _check_action(found, button.web, f"{path}.web")


def _check_default(found: Violations, looks: pb.DefaultButtonConfiguration, path: str) -> None:
    found.check(looks.text.strip(), f"{path}.text", "is required")
    fine = len(looks.text) <= LONGEST_BUTTON
    found.check(fine, f"{path}.text", f"no more than {LONGEST_BUTTON} characters")
    _check_action(found, looks, path)
    _check_color(found, looks.text_color, f"{path}.text_color")
    _check_color(found, looks.background_color, f"{path}.background_color")
    found.check(looks.border_radius >= 0, f"{path}.border_radius", "must not be negative")


def _check_action(found: Violations, given: Action, path: str) -> None:
    known = _is_known(pb.InAppButtonAction.DESCRIPTOR, given.button_action)
    found.check(known, f"{path}.button_action", "is required")
    leads = given.button_action in _LEADING
    found.check(given.link.strip() or not leads, f"{path}.link", "is required by button_action")


def _check_color(found: Violations, color: str, path: str) -> None:
    fine = not color or _COLOR.fullmatch(color)
    found.check(fine, path, "must be #RGB, #RRGGBB or #RRGGBBAA")


def _is_known(kind: EnumDescriptor, number: int) -> bool:
    return number != 0 and number in kind.values_by_number


def _is_web_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
