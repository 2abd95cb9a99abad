"""Names of endpoints: document ids, shards, cohorts, and ids derived from addresses.

A document id is `<application>/<two hex digits>/<endpoint id in lower case>`. An application is one
contiguous range of ids, and a shard a part of that range.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from libs.ids import derived_id
from services.endpoints.domain.channels import family

PREFIXES: Final = 256
LONGEST_ID: Final = 100
COHORTS: Final = 100
_APPLICATION: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_FORBIDDEN: Final = re.compile(r"[${}\x00]")
_AFTER_SLASH: Final = "0"  # the character after "/": ends the range of a prefix


@dataclass(frozen=True, slots=True)
class IdRange:
    """Document ids from `low` (included unless `after`) to `high` (excluded)."""

    low: str
    high: str
    after: bool = False


def is_application_id(application_id: str) -> bool:
    """Whether an application id may stand in a document id: no slash can leave its range."""
    return bool(_APPLICATION.fullmatch(application_id))


def is_endpoint_id(endpoint_id: str) -> bool:
    """Spec 2.2: 1 to 100 characters without `$ { }`."""
    return 1 <= len(endpoint_id) <= LONGEST_ID and not _FORBIDDEN.search(endpoint_id)


def document_id(application_id: str, endpoint_id: str) -> str:
    """The document id of an endpoint; case does not matter (spec 2.2)."""
    lowered = endpoint_id.lower()
    prefix = blake2b(lowered.encode(errors="replace"), digest_size=1).hexdigest()
    return f"{application_id}/{prefix}/{lowered}"


def cohort_of(application_id: str, endpoint_id: str) -> int:
    """0 to 99, the same for ever: about one per cent of endpoints each (spec 2.2)."""
    key = f"{application_id}/{endpoint_id.lower()}".encode(errors="replace")
    return int.from_bytes(blake2b(key, digest_size=4, person=b"cohort").digest(), "big") % COHORTS


def address_id(channel_type: str, address: str) -> str:
    """The endpoint id an import gives to an address that comes without one."""
    return derived_id("endpoint", family(channel_type), address)


def reach_of(channel_type: str, address: str) -> str:
    """What only one ACTIVE endpoint of an application may have (spec 2.5.1); empty when none."""
    return f"{family(channel_type)}/{address}" if channel_type and address else ""


def application_range(application_id: str) -> IdRange:
    """All endpoints of an application."""
    return IdRange(f"{application_id}/", f"{application_id}{_AFTER_SLASH}")


def shard_range(application_id: str, shard: int, shard_count: int, cursor: str = "") -> IdRange:
    """One of `shard_count` parts of an application, after the cursor if there is one.

    A cursor is the part of a document id behind the application.
    """
    first = shard * PREFIXES // shard_count
    end = (shard + 1) * PREFIXES // shard_count
    low = f"{application_id}/{first:02x}/"
    high = (
        f"{application_id}/{end:02x}/" if end < PREFIXES else application_range(application_id).high
    )
    resumed = f"{application_id}/{cursor}"
    if cursor and resumed >= low:
        return IdRange(min(resumed, high), high, after=True)
    return IdRange(low, high)


def cursor_of(endpoint_id: str) -> str:
    """The cursor after an endpoint."""
    return document_id("", endpoint_id)[1:]


@lru_cache(maxsize=4096)
def field_name(name: str) -> str:
    """An attribute name as a document field: dots and dollars mean something in a field path."""
    return name.replace("%", "%25").replace(".", "%2E").replace("$", "%24")
