"""Which certificates are told of, and when."""

from datetime import UTC, datetime, timedelta

import pytest

from services.messaging.domain.certificates import Certificate

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def ends(left: timedelta, told_on: str = "") -> Certificate:
    return Certificate("app", "APNS", "com.example.shop", NOW + left, told_on)


@pytest.mark.parametrize(
    ("left", "told_on", "due"),
    [
        (timedelta(days=30), "", True),
        (timedelta(days=30) + SECOND, "", False),
        (timedelta(days=-3), "", True),
        (timedelta(days=3), "2026-11-27", False),
        (timedelta(days=3), "2026-11-26", True),
    ],
)
def test_who_is_due(left: timedelta, told_on: str, due: bool) -> None:  # noqa: FBT001 - a case
    assert ends(left, told_on).is_due(NOW) is due


def test_events_of_one_day_are_one_event() -> None:
    one = ends(timedelta(days=3))
    midnight = datetime(2026, 11, 28, tzinfo=UTC)
    assert one.event_id(NOW) == one.event_id(midnight - SECOND)
    assert one.event_id(NOW) != one.event_id(midnight)
    assert one.event_id(NOW) != ends(timedelta(days=4)).event_id(NOW)
