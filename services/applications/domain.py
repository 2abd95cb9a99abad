"""Applications, settings and keys as values, and what is allowed in them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

from libs.errors import ApplicationForbidden, NotBuilt, Violations
from libs.labels import check_tags

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_RANGES = {
    # spec 8.5; zero means no limit
    "daily": (0, 100),
    "total": (0, 100),
    "session": (0, 100),
    "messages_per_second": (0, 20_000),
}
_SHORTEST_DURATION = 60
_LONGEST_VALIDITY_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Application:
    """A project: the tenant boundary."""

    application_id: str
    name: str
    tags: Mapping[str, str]
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """Default limits of campaigns; zero means none."""

    daily: int = 0
    total: int = 0
    session: int = 0
    messages_per_second: int = 0
    maximum_duration: int = 0


@dataclass(frozen=True, slots=True)
class QuietTime:
    """Clock times, `HH:MM`, both included."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class ApplicationSettings:
    """Defaults for what is created afterwards."""

    application_id: str
    update_time: datetime
    limits: Limits | None = None
    quiet_time: QuietTime | None = None
    on_missing_variable: str = "EMPTY"
    timezone: str = ""


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """The parts of the settings to replace; None keeps a part."""

    limits: Limits | None = None
    quiet_time: QuietTime | None = None
    on_missing_variable: str | None = None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret."""

    access_key_id: str
    description: str
    role: str
    application_ids: tuple[str, ...]
    create_time: datetime
    expire_time: datetime | None
    disabled: bool = False


def new_application(
    application_id: str, name: str, tags: Mapping[str, str], now: datetime
) -> Application:
    """Check and make an application. Raises InvalidFields."""
    found = Violations()
    found.check(1 <= len(name.strip()) <= 64, "name", "must have 1 to 64 characters")
    check_tags(found, "tags", tags)
    found.raise_if_any()
    return Application(application_id, name.strip(), dict(tags), now)


def initial_settings(application: Application) -> ApplicationSettings:
    """What a new application starts with: no limits, variables without value render empty."""
    return ApplicationSettings(application.application_id, application.create_time)


def changed_settings(
    settings: ApplicationSettings, change: SettingsChange, now: datetime
) -> ApplicationSettings:
    """The settings with the given parts replaced. Raises InvalidFields, NotBuilt."""
    found = Violations()
    if change.limits:
        _check_limits(found, change.limits)
    if change.quiet_time:
        for part in ("start", "end"):
            value = getattr(change.quiet_time, part)
            found.check(_CLOCK.fullmatch(value), f"settings.quiet_time.{part}", "must be HH:MM")
    if change.timezone:
        known = change.timezone in available_timezones()
        found.check(known, "settings.timezone", "must be a tz database name")
    found.raise_if_any()
    if change.limits and (change.limits.daily or change.limits.session):
        raise NotBuilt("a daily or session limit over all campaigns of an application")
    given = {
        name: value
        for name in ("limits", "quiet_time", "on_missing_variable", "timezone")
        if (value := getattr(change, name)) is not None
    }
    return replace(settings, update_time=now, **given)


def _check_limits(found: Violations, limits: Limits) -> None:
    for name, (low, high) in _RANGES.items():
        value = getattr(limits, name)
        found.check(low <= value <= high, f"settings.limits.{name}", f"must be {low} to {high}")
    duration = limits.maximum_duration
    fine = duration == 0 or duration >= _SHORTEST_DURATION
    found.check(fine, "settings.limits.maximum_duration", "must be 60 seconds or more")


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """What a new key shall be."""

    description: str
    role: str
    application_ids: tuple[str, ...]
    valid_days: int


def new_key(
    access_key_id: str, request: KeyRequest, maker_application_ids: Sequence[str], now: datetime
) -> ApiKey:
    """Check and make a key. A maker bound to applications makes keys for those alone.

    Raises InvalidFields, ApplicationForbidden.
    """
    found = Violations()
    found.check(
        len(request.description) <= 128,
        "description",
        "no more than 128 characters",
    )
    found.check(
        request.role in {"VIEWER", "OPERATOR", "ADMIN", "PUBLISHABLE"},
        "role",
        "must be VIEWER, OPERATOR, ADMIN or PUBLISHABLE",
    )
    # It is known to everybody who has the app: never a key for all applications.
    bound = request.role != "PUBLISHABLE" or bool(request.application_ids)
    found.check(bound, "application_ids", "a publishable key names its applications")
    days_fine = 0 <= request.valid_days <= _LONGEST_VALIDITY_DAYS
    found.check(days_fine, "valid_days", f"must be 0 to {_LONGEST_VALIDITY_DAYS}")
    found.raise_if_any()
    beyond = set(request.application_ids or ("*",)) - set(maker_application_ids)
    if maker_application_ids and beyond:
        raise ApplicationForbidden(sorted(beyond)[0])
    expire_time = now + timedelta(days=request.valid_days) if request.valid_days else None
    return ApiKey(
        access_key_id,
        request.description,
        request.role,
        request.application_ids,
        now.astimezone(UTC),
        expire_time,
    )


def check_key_inside(key: ApiKey, application_ids: frozenset[str]) -> None:
    """Refuse a caller bound to applications who touches a key that opens others.

    Raises ApplicationForbidden.
    """
    beyond = set(key.application_ids or ("*",)) - application_ids
    if beyond:
        raise ApplicationForbidden(sorted(beyond)[0])
