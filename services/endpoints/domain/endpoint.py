"""An endpoint, a change to one, and an endpoint as it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

Texts = Mapping[str, tuple[str, ...]]

DEMOGRAPHIC: Final = (
    "app_version",
    "locale",
    "make",
    "model",
    "model_version",
    "platform",
    "platform_version",
    "timezone",
)
PLACE: Final = ("city", "country", "postal_code", "region")
COORDINATES: Final = ("latitude", "longitude")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One destination of one person on one channel (spec 2.2).

    `demographic`, `place` and `coordinates` hold only fields that have a value. Empty texts mean
    that there is none.
    """

    application_id: str
    endpoint_id: str
    cohort: int
    creation_date: datetime
    effective_date: datetime
    request_id: str = ""
    channel_type: str = ""
    address: str = ""
    attributes: Texts = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    demographic: Mapping[str, str] = field(default_factory=dict)
    place: Mapping[str, str] = field(default_factory=dict)
    coordinates: Mapping[str, float] = field(default_factory=dict)
    user_id: str = ""
    user_attributes: Texts = field(default_factory=dict)
    opted_out: bool = False
    inactive: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What a caller wants changed (spec 2.4). None and absent names keep what is there; empty
    texts and lists remove it.
    """

    endpoint_id: str
    channel_type: str = ""
    address: str | None = None
    attributes: Texts = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    demographic: Mapping[str, str] = field(default_factory=dict)
    place: Mapping[str, str] = field(default_factory=dict)
    coordinates: Mapping[str, float] = field(default_factory=dict)
    user_id: str | None = None
    user_attributes: Texts = field(default_factory=dict)
    opted_out: bool | None = None
    inactive: bool | None = None
    effective_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """An endpoint with what the service keeps beside it.

    `version` is replaced at every write; `imports` are the imported segments it belongs to.
    """

    endpoint: Endpoint
    version: int
    last_activity: datetime
    imports: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Occasion:
    """What all changes of a request share."""

    application_id: str
    request_id: str
    now: datetime
