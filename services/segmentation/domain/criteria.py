"""Which values an operator takes (spec 4.3)."""

import re
from collections.abc import Sequence
from typing import Final

from libs.errors import Violations
from services.segmentation.domain.dates import DATE_OPERATORS, EXPECTED, Moment, instant_of
from services.segmentation.domain.segment import AttributeDimension, SetDimension

LONGEST_VALUE: Final = 100
VERSIONS: Final = {
    "VERSION_GT": "GREATER_THAN",
    "VERSION_GTE": "GREATER_THAN_OR_EQUAL",
    "VERSION_LT": "LESS_THAN",
    "VERSION_LTE": "LESS_THAN_OR_EQUAL",
    "VERSION_EQ": "EQUAL",
}
_SETS: Final = frozenset({"INCLUSIVE", "EXCLUSIVE"})
_ATTRIBUTES: Final = _SETS | {"CONTAINS"} | DATE_OPERATORS | set(VERSIONS)
_CHANNELS: Final = frozenset(
    {
        "PUSH",
        "GCM",
        "APNS",
        "APNS_SANDBOX",
        "APNS_VOIP",
        "APNS_VOIP_SANDBOX",
        "ADM",
        "SMS",
        "VOICE",
        "EMAIL",
        "BAIDU",
        "CUSTOM",
        "IN_APP",
    }
)
# Dot-separated numbers; a pre-release and a build as in Semantic Versioning 2.0.0, 9 and 10.
_VERSION: Final = re.compile(
    r"\d{1,26}(?:\.\d{1,26}){0,19}(?:-[0-9A-Za-z-]{1,40}(?:\.[0-9A-Za-z-]{1,40}){0,9})?"
    r"(?:\+[0-9A-Za-z.-]{1,64})?",
    re.ASCII,
)


def check_attribute(found: Violations, given: AttributeDimension, moment: Moment, at: str) -> None:
    """Note a bad operator of an attribute, and values it does not take."""
    found.check(given.operator in _ATTRIBUTES, f"{at}.attribute_type", "is not known")
    if not _check_texts(found, given.values, f"{at}.values"):
        return
    if given.operator in DATE_OPERATORS:
        _check_dates(found, given, moment, f"{at}.values")
    elif given.operator in VERSIONS:
        _check_version(found, given.values, f"{at}.values")


def check_fact(found: Violations, fact: str, given: SetDimension, at: str) -> None:
    """Note a bad operator of a fact, and values it does not take."""
    if fact != "app_version" and given.operator in VERSIONS:
        found.add(f"{at}.dimension_type", "versions are compared on app_version only")
    else:
        known = given.operator in _SETS or given.operator in VERSIONS
        found.check(known, f"{at}.dimension_type", "is not known")
    if not _check_texts(found, given.values, f"{at}.values"):
        return
    if fact == "channel":
        for number, value in enumerate(given.values):
            found.check(value in _CHANNELS, f"{at}.values[{number}]", "is no channel")
    elif fact == "app_version" and given.operator in VERSIONS:
        _check_version(found, given.values, f"{at}.values")


def _check_texts(found: Violations, values: Sequence[str], at: str) -> bool:
    fine = found.check(values, at, "are missing")
    for number, value in enumerate(values):
        well = 1 <= len(value) <= LONGEST_VALUE and "\0" not in value
        fine &= found.check(well, f"{at}[{number}]", f"must have 1 to {LONGEST_VALUE} characters")
    return fine


def _check_dates(found: Violations, given: AttributeDimension, moment: Moment, at: str) -> None:
    instants = [instant_of(value, moment) for value in given.values]
    for number, instant in enumerate(instants):
        found.check(instant, f"{at}[{number}]", EXPECTED)
    if given.operator != "BETWEEN":
        return
    if found.check(len(instants) == 2, at, "BETWEEN takes exactly two dates"):
        first, last = instants
        fine = first is None or last is None or first <= last
        found.check(fine, at, "the first date must not be after the second")


def _check_version(found: Violations, values: Sequence[str], at: str) -> None:
    if found.check(len(values) == 1, at, "exactly one version is compared with"):
        found.check(
            _VERSION.fullmatch(values[0]), f"{at}[0]", "is no version such as 2.0 or 2.0-rc1"
        )
