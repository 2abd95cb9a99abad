"""What a change may hold (spec 2.2, 2.3): every bad field is named."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from zoneinfo import available_timezones

from libs.errors import Violation, Violations
from services.endpoints.domain.channels import CHANNELS
from services.endpoints.domain.endpoint import Change, Endpoint, Texts
from services.endpoints.domain.identity import is_endpoint_id

_TIMEZONES: Final = frozenset(available_timezones())
_RANGES: Final = {"latitude": 90.0, "longitude": 180.0}
LONGEST_USER_ID: Final = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """Quotas of spec 2.3 and 2.5; lengths in characters, sizes in bytes."""

    most_bytes: int = 15 * 1024
    most_names: int = 250
    longest_name: int = 50
    longest_value: int = 100
    most_values: int = 50
    most_per_user: int = 15


def violations(change: Change, limits: Limits) -> tuple[Violation, ...]:
    """Everything wrong with a change, by field of the endpoint."""
    found = Violations()
    found.check(
        is_endpoint_id(change.endpoint_id),
        "endpoint_id",
        "must have 1 to 100 characters, none of $ { }",
    )
    if change.channel_type and change.channel_type not in CHANNELS:
        found.add("channel_type", "is not known")
    if change.user_id and (len(change.user_id) > LONGEST_USER_ID or "\0" in change.user_id):
        found.add("user.user_id", f"no more than {LONGEST_USER_ID} characters")
    _check_texts(found, "attributes", change.attributes, limits)
    _check_texts(found, "user.user_attributes", change.user_attributes, limits)
    _check_metrics(found, change.metrics, limits)
    timezone = change.demographic.get("timezone")
    if timezone and timezone not in _TIMEZONES:
        found.add("demographic.timezone", "must be a tz database name")
    for name, value in change.coordinates.items():
        far = _RANGES[name]
        found.check(-far <= value <= far, f"location.{name}", f"must be {-far:g} to {far:g}")
    return found.found


def _check_texts(found: Violations, field: str, given: Texts, limits: Limits) -> None:
    for name, values in given.items():
        _check_name(found, field, name, limits)
        if len(values) > limits.most_values:
            found.add(_at(field, name), f"no more than {limits.most_values} values")
        for value in values:
            if len(value) > limits.longest_value:
                longest = limits.longest_value
                found.add(_at(field, name), f"values of up to {longest} characters")
                break


def _check_metrics(found: Violations, given: Mapping[str, float], limits: Limits) -> None:
    for name, value in given.items():
        _check_name(found, "metrics", name, limits)
        found.check(math.isfinite(value), _at("metrics", name), "must be a finite number")


def _check_name(found: Violations, field: str, name: str, limits: Limits) -> None:
    if not 1 <= len(name) <= limits.longest_name or "\0" in name:
        found.add(_at(field, name), f"names of 1 to {limits.longest_name} characters")


def _at(field: str, name: str) -> str:
    return f"{field}[{name[:50]}]"


def size_violations(size_bytes: int, limits: Limits) -> tuple[Violation, ...]:
    """What is wrong with the size of an endpoint, serialized with everything it has."""
    if size_bytes <= limits.most_bytes:
        return ()
    return (Violation("endpoint", f"no more than {limits.most_bytes} bytes with all it holds"),)


def missing_for_new(endpoint: Endpoint) -> tuple[Violation, ...]:
    """Spec 4.6: a new endpoint of a file needs an address and a channel."""
    found = Violations()
    found.check(endpoint.address, "address", "a new endpoint needs one")
    found.check(endpoint.channel_type, "channel_type", "a new endpoint needs one")
    return found.found


def names_of(change: Change) -> set[str]:
    """Names the change uses, by kind: together they count against the application's quota."""
    return {
        *(f"a:{name}" for name, values in change.attributes.items() if values),
        *(f"m:{name}" for name in change.metrics),
        *(f"u:{name}" for name, values in change.user_attributes.items() if values),
    }


def name_violations(refused: set[str], limits: Limits) -> tuple[Violation, ...]:
    """What is wrong with names beyond the application's quota."""
    fields = {"a": "attributes", "m": "metrics", "u": "user.user_attributes"}
    told = f"no more than {limits.most_names} names in an application"
    return tuple(
        Violation(_at(fields[kind], name), told)
        for kind, _, name in (entry.partition(":") for entry in sorted(refused))
    )
