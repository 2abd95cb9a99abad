"""Webhooks of a campaign: what is allowed of them (spec 6.8), but for where they may lead."""

import re
from typing import Final

from libs.errors import Violations
from services.campaigns.domain.campaign import CUSTOM, CustomDelivery, Says
from services.campaigns.domain.push import PUSH_TYPES

MOST_DATA: Final = 5 * 1024
LONGEST_URI: Final = 2048
ENDPOINT_TYPES: Final = PUSH_TYPES | {"PUSH", "SMS", "VOICE", "EMAIL", CUSTOM}
_URI: Final = re.compile(
    r"https?://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?#][A-Za-z0-9\-._~?/#;,]*)?"
)
_MOST_PORT: Final = 65_535


def check_custom(found: Violations, says: Says, path: str) -> None:
    """Note every bad field of a treatment's webhook under `path`."""
    where = f"{path}custom_delivery_configuration"
    if says.custom_data is not None:
        fine = len(says.custom_data.encode()) <= MOST_DATA
        field = f"{path}message_configuration.custom_message.data"
        found.check(fine, field, f"no more than {MOST_DATA} bytes")
        found.check(says.custom_delivery, where, "is required beside a custom_message")
    if says.custom_delivery is not None:
        _check_uri(found, f"{where}.delivery_uri", says.custom_delivery.delivery_uri)
        _check_types(found, f"{where}.endpoint_types", says, says.custom_delivery)


def _check_uri(found: Violations, field: str, uri: str) -> None:
    if not uri.lower().startswith(("http://", "https://")):
        why = "a function (its name or ARN) cannot be called from here: must be an https URL"
        found.add(field, why if uri else "is required")
        return
    match = _URI.fullmatch(uri)
    port = int(match["port"] or 443) if match else 0
    why = "must be an https URL whose path has only letters, digits and - . _ ~ ? / # ; ,"
    found.check(0 < port <= _MOST_PORT, field, why)
    found.check(len(uri) <= LONGEST_URI, field, f"no more than {LONGEST_URI} characters")


def _check_types(found: Violations, field: str, says: Says, delivery: CustomDelivery) -> None:
    for place, name in enumerate(delivery.endpoint_types):
        fine = name in ENDPOINT_TYPES
        found.check(fine, f"{field}[{place}]", "must be a type of endpoints that are sent to")
        again = name in delivery.endpoint_types[:place]
        found.check(not again, f"{field}[{place}]", "is named before")
    for name in sorted(delivery.reaches & (says.channels - {CUSTOM})):
        found.add(field, f"{name} endpoints get a message of their own channel")
