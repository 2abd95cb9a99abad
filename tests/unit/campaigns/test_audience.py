"""Who gets what: cohorts, holdout, treatments, quiet time and the order of refusals."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.campaigns.domain.audience import HOLDOUT, Member, Plan, decide, is_quiet, plan
from services.campaigns.domain.campaign import (
    Definition,
    EmailMessage,
    QuietTime,
    Says,
    Schedule,
    SmsMessage,
    Treatment,
)

NOW = datetime(2026, 4, 28, 9, 0, tzinfo=UTC)
EMAIL = Says(email=EmailMessage(title="t", body="b"))
BOTH = Says(email=EmailMessage(title="t", body="b"), sms=SmsMessage(body="b"))


def _definition(holdout: int = 0, shares: tuple[int, ...] = (), says: Says = BOTH) -> Definition:
    treatments = tuple(Treatment(str(n), share, says) for n, share in enumerate(shares, start=1))
    return Definition(
        name="c",
        segment_id="s",
        says=says,
        schedule=Schedule("IMMEDIATE"),
        holdout_percent=holdout,
        treatments=treatments,
    )


def _member(**changed: object) -> Member:
    values: dict[str, object] = {
        "channel": "EMAIL",
        "has_address": True,
        "cohort": 0,
        "timezone": "",
        "opted_out": False,
        "inactive": False,
    }
    return Member(**{**values, **changed})  # type: ignore[arg-type]


@given(
    st.uuids(),
    st.integers(min_value=0, max_value=40),
    st.lists(st.integers(min_value=1, max_value=15), max_size=4),
)
def test_every_cohort_has_one_treatment_and_shares_are_exact(
    campaign: object, holdout: int, shares: list[int]
) -> None:
    made = plan(str(campaign), _definition(holdout, tuple(shares)))
    counted = Counter(made.treatment_of)
    assert len(made.treatment_of) == 100
    assert counted[HOLDOUT] == holdout
    for number, share in enumerate(shares, start=1):
        assert counted[str(number)] == share
    assert counted["0"] == 100 - holdout - sum(shares)


def test_the_same_campaign_divides_its_audience_the_same_way_every_time() -> None:
    definition = _definition(20, (40,))
    one, again = plan("a", definition), plan("a", definition)
    other = plan("b", definition)
    assert one.treatment_of == again.treatment_of
    assert one.treatment_of != other.treatment_of


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({}, ""),
        ({"inactive": True, "opted_out": True, "has_address": False}, "INACTIVE"),
        ({"opted_out": True, "has_address": False}, "OPT_OUT"),
        ({"has_address": False, "channel": "GCM"}, "MISSING_ADDRESS"),
        ({"channel": "GCM"}, "CHANNEL_MISMATCH"),
    ],
)
def test_the_first_refusal_counts(changed: dict[str, object], reason: str) -> None:
    chosen = plan("a", _definition())
    assert decide(_member(**changed), chosen, NOW) == ("0", reason)


def test_holdout_gets_nothing_and_a_channel_without_message_is_no_holdout() -> None:
    everybody = Plan((HOLDOUT,) * 100, {"0": {"EMAIL": "EMAIL"}}, None)
    assert decide(_member(), everybody, NOW) == ("0", "HOLDOUT")
    assert decide(_member(channel="SMS"), everybody, NOW) == ("0", "CHANNEL_MISMATCH")


def test_a_treatment_speaks_on_its_own_channels() -> None:
    definition = _definition(0, (100,), EMAIL)
    chosen = plan("a", definition)
    assert decide(_member(), chosen, NOW) == ("1", "")
    assert decide(_member(channel="SMS"), chosen, NOW) == ("1", "CHANNEL_MISMATCH")


@pytest.mark.parametrize(
    ("start", "end", "zone", "quiet"),
    [
        ("09:00", "10:00", "UTC", True),  # both ends are included
        ("08:00", "09:00", "UTC", True),
        ("09:01", "10:00", "UTC", False),
        ("22:00", "06:00", "America/Los_Angeles", True),  # 02:00 there, over midnight
        ("22:00", "06:00", "Asia/Tokyo", False),  # 18:00 there
        ("00:00", "23:59", "", False),  # no zone: it is sent
        ("00:00", "23:59", "Mars/Olympus", False),
        ("00:00", "23:59", "../../etc/passwd", False),
    ],
)
def test_quiet_time_is_the_recipients_own(start: str, end: str, zone: str, *, quiet: bool) -> None:
    assert is_quiet(QuietTime(start, end), zone, NOW) is quiet


def test_the_quiet_time_of_the_plan_is_the_definitions() -> None:
    own = QuietTime("02:00", "03:00")
    made = Definition("c", "s", BOTH, Schedule("IMMEDIATE", quiet_time=own))
    assert plan("a", made).quiet_time == own
    assert plan("a", _definition()).quiet_time is None
