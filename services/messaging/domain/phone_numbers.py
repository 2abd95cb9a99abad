"""What numbering plans tell of a phone number (spec 6.10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    PhoneNumberType,
    carrier,
    geocoder,
    timezone,
)

LONGEST: Final = 32
_LANGUAGE: Final = "en"
_NOWHERE: Final = "Etc/Unknown"


class Kind(IntEnum):
    """PhoneTypeCode of Pinpoint."""

    MOBILE = 0
    LANDLINE = 1
    VOIP = 2
    INVALID = 3
    OTHER = 4
    PREPAID = 5


_KINDS: Final[Mapping[int, Kind]] = {
    PhoneNumberType.MOBILE: Kind.MOBILE,
    # In the United States and Canada plans do not tell one from the other; texts may reach it.
    PhoneNumberType.FIXED_LINE_OR_MOBILE: Kind.MOBILE,
    PhoneNumberType.FIXED_LINE: Kind.LANDLINE,
    PhoneNumberType.VOIP: Kind.VOIP,
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a number; of an INVALID one nothing more."""

    kind: Kind
    e164: str = ""
    national: str = ""
    country: str = ""
    iso2: str = ""
    calling_code: str = ""
    city: str = ""
    carrier: str = ""
    timezone: str = ""


def known_of(number: str, iso2: str) -> Known:
    """What plans tell of a number, read as one of a country when it has no code of its own."""
    try:
        parsed = phonenumbers.parse(number, iso2.upper() or None)
    except NumberParseException:
        return Known(Kind.INVALID)
    if not phonenumbers.is_valid_number(parsed):
        return Known(Kind.INVALID)
    zones = timezone.time_zones_for_number(parsed)
    return Known(
        _KINDS.get(phonenumbers.number_type(parsed), Kind.OTHER),
        phonenumbers.format_number(parsed, PhoneNumberFormat.E164),
        phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL),
        geocoder.country_name_for_number(parsed, _LANGUAGE),
        phonenumbers.region_code_for_number(parsed) or "",
        str(parsed.country_code),
        geocoder.description_for_number(parsed, _LANGUAGE),
        carrier.name_for_number(parsed, _LANGUAGE),
        "" if zones[0] == _NOWHERE else zones[0],
    )
