"""Figures: names, arithmetic, groups, ranges."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import InvalidFields, NotBuilt
from services.analytics.domain.counting import Figures
from services.analytics.domain.kpis import (
    APPLICATION_KPIS,
    CAMPAIGN_KPIS,
    Count,
    Row,
    application_kpi,
    campaign_kpi,
    day_text,
    rows,
)
from services.analytics.domain.ranges import date_range

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def count(name: str, **more: Any) -> Count:
    figures = Figures(
        **{k: more.pop(k) for k in ("count", "unique", "hourly", "parts", "price") if k in more}
    )
    texts = {"campaign_id": "c", "activity_id": "a", "treatment_id": "", "status": "",
             "country": "", "day": 0, **more}  # fmt: skip
    return Count(event_type=name, figures=figures, **texts)


COUNTS = [
    count("_campaign.send", status="SUCCESS", count=9, unique=8, activity_id="a"),
    count("_campaign.send", status="FAILURE", count=2, unique=2, activity_id="b", day=1),
    count("_campaign.send", status="HOLDOUT", count=5, unique=5),
    count("_email.send", count=10, unique=9),
    # What a mail server took is not what arrived: two of these came back.
    count("_email.delivered", count=8, unique=7, activity_id="a"),
    count("_SMS.SUCCESS", count=2, unique=2, activity_id="b", day=1, price=1290.0, parts=4,
          country="DE"),
    count("_SMS.FAILURE", count=1, unique=1, activity_id="b", price=645.0, parts=1, country="US",
          status="BLOCKED"),
    count("_email.hardbounce", count=1, unique=1),
    count("_email.softbounce", count=2, unique=2),
    count("_email.rejected", count=1, unique=1),
    count("_email.open", count=9, unique=2, hourly=4),
    count("_email.click", count=7, unique=1, hourly=3, activity_id="b"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unique-deliveries", [Row("", 7.0)]),
        ("unique-deliveries-grouped-by-date", [Row("1970-01-01", 5.0), Row("1970-01-02", 2.0)]),
        ("unique-deliveries-grouped-by-campaign-activity", [Row("a", 5.0), Row("b", 2.0)]),
        ("successful-deliveries-grouped-by-campaign-activity", [Row("a", 6.0), Row("b", 2.0)]),
        ("attempted-deliveries-grouped-by-campaign-activity", [Row("a", 8.0), Row("b", 2.0)]),
        ("successful-delivery-rate", [Row("", 0.7)]),
        (
            "successful-delivery-rate-grouped-by-campaign-activity",
            [Row("a", 0.625), Row("b", 1.0)],
        ),
        (
            "successful-delivery-rate-grouped-by-date",
            [Row("1970-01-01", 0.625), Row("1970-01-02", 1.0)],
        ),
        ("hard-bounce-rate", [Row("", 1 / 9)]),
        ("hard-bounce-rate-grouped-by-campaign-activity", [Row("a", 1 / 9)]),
        ("email-open-rate", [Row("", 0.4)]),
        ("email-open-rate-grouped-by-campaign-activity", [Row("a", 0.4)]),
        ("direct-email-opens-grouped-by-campaign-activity", [Row("a", 4.0)]),
        ("clicks-grouped-by-campaign-activity", [Row("b", 3.0)]),
        ("sms-spend", [Row("", 1935.0)]),
    ],
)
def test_figures_of_a_campaign(name: str, expected: list[Row]) -> None:
    assert rows(campaign_kpi(name), COUNTS) == expected
    assert rows(campaign_kpi(name), []) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("txn-emails-clicked", [Row("", 7.0)]),
        ("txn-emails-unique-clicks", [Row("", 1.0)]),
        ("txn-emails-opened-grouped-by-date", [Row("1970-01-01", 9.0)]),
        ("txn-emails-delivery-rate", [Row("", 0.6)]),
        ("txn-emails-complaint-rate", [Row("", 0.0)]),
        ("txn-emails-with-complaints", []),
        ("txn-sms-delivered-grouped-by-country", [Row("DE", 2.0)]),
        ("txn-sms-delivered-by-parts", [Row("", 4.0)]),
        ("txn-sms-total-price-grouped-by-country", [Row("DE", 1290.0), Row("US", 645.0)]),
        ("txn-sms-average-price-grouped-by-country", [Row("DE", 645.0), Row("US", 645.0)]),
        ("txn-sms-average-price-by-parts-grouped-by-country", [Row("DE", 322.5), Row("US", 645.0)]),
        ("txn-sms-error-distribution", [Row("BLOCKED", 1.0)]),
        ("txn-sms-delivery-rate", []),  # nothing was sent: no rate
        ("email-open-rate-grouped-by-campaign", [Row("c", 0.4)]),
        ("unique-deliveries-grouped-by-campaign", [Row("c", 7.0)]),
    ],
)
def test_figures_of_an_application(name: str, expected: list[Row]) -> None:
    assert rows(application_kpi(name), COUNTS) == expected


DELIVERIES = [
    "unique-deliveries",
    "unique-deliveries-grouped-by-campaign",
    "unique-deliveries-grouped-by-date",
    "successful-deliveries-grouped-by-campaign",
    "txn-emails-delivered",
    "txn-emails-delivered-grouped-by-date",
]


@pytest.mark.parametrize("name", DELIVERIES)
def test_a_bounce_that_comes_back_later_takes_its_delivery_away(name: str) -> None:
    sent = [count("_email.send", count=3, unique=3), count("_email.delivered", count=3, unique=3)]
    assert [row.value for row in rows(application_kpi(name), sent)] == [3.0]
    for lost in ("_email.hardbounce", "_email.softbounce", "_email.rejected"):
        sent.append(count(lost, count=1, unique=1))
    assert [row.value for row in rows(application_kpi(name), sent)] == [0.0]
    # Not below nothing: a text message that arrived is not taken away by mails that did not.
    sent.append(count("_email.hardbounce", count=5, unique=5))
    sent.append(count("_SMS.SUCCESS", count=1, unique=1))
    mails_only = name.startswith("txn-emails")
    assert [row.value for row in rows(application_kpi(name), sent)] == [0.0 if mails_only else 1.0]


def test_rates_are_of_what_arrived_and_none_of_nothing() -> None:
    sends = count("_email.send", count=4, unique=4)
    opens = count("_email.open", count=2, unique=2)
    assert rows(campaign_kpi("email-open-rate"), [sends, opens]) == [Row("", 0.5)]
    bounces = count("_email.hardbounce", count=2, unique=2)
    assert rows(campaign_kpi("email-open-rate"), [sends, opens, bounces]) == [Row("", 1.0)]
    gone = count("_email.hardbounce", count=4, unique=4)
    assert rows(campaign_kpi("email-open-rate"), [sends, opens, gone]) == []
    assert rows(campaign_kpi("hard-bounce-rate"), [sends, gone]) == [Row("", 1.0)]


@settings(deadline=None)  # a busy machine is no failure
@given(
    counts=st.lists(
        st.builds(
            count,
            st.sampled_from(["_email.send", "_email.hardbounce", "_email.softbounce",
                             "_email.rejected", "_SMS.SUCCESS", "_campaign.send"]),
            count=st.integers(0, 9),
            unique=st.integers(0, 9),
            day=st.integers(0, 2),
            activity_id=st.sampled_from(["a", "b"]),
        )
    )
)  # fmt: skip
def test_no_figure_is_ever_negative(counts: list[Count]) -> None:
    kpis = [*CAMPAIGN_KPIS.values(), *APPLICATION_KPIS.values()]
    assert all(row.value >= 0 for kpi in kpis for row in rows(kpi, counts))


def test_a_figure_reads_all_that_it_counts() -> None:
    lost = {"_email.hardbounce", "_email.softbounce", "_email.rejected"}
    email = {"_email.send", *lost}
    assert campaign_kpi("unique-deliveries").event_types == email | {"_SMS.SUCCESS"}
    assert campaign_kpi("email-open-rate").event_types == email | {"_email.open"}
    assert application_kpi("txn-sms-delivered").event_types == {"_SMS.SUCCESS"}


def test_every_name_of_the_specification_is_there() -> None:
    direct_email = [
        "clicked",
        "complaint-rate",
        "with-complaints",
        "delivered",
        "delivery-rate",
        "hard-bounced",
        "opened",
        "sent",
        "soft-bounced",
        "unique-clicks",
        "unique-opens",
    ]
    expected = {f"txn-emails-{n}{s}" for n in direct_email for s in ("", "-grouped-by-date")}
    assert expected <= set(APPLICATION_KPIS)
    assert len(APPLICATION_KPIS) == 8 + 22 + 16
    assert len(CAMPAIGN_KPIS) == 2 + 3 + 2 + 1 + 3 + 1 + 1 + 1 + 1


def test_titles_are_the_names_in_camel_case() -> None:
    assert campaign_kpi("unique-deliveries").title == "UniqueDeliveries"
    name = "successful-delivery-rate-grouped-by-date"
    assert campaign_kpi(name).title == "SuccessfulDeliveryRate"


@pytest.mark.parametrize("name", ["", "unique", "journey-emails-sent", "txn-emails-sent"])
def test_a_name_of_no_figure_names_the_field(name: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        campaign_kpi(name)
    assert [v.field for v in refused.value.violations] == ["kpi_name"]


@pytest.mark.parametrize(
    "name", ["push-open-rate", "direct-push-opens-grouped-by-campaign-activity"]
)
def test_push_figures_are_not_built(name: str) -> None:
    with pytest.raises(NotBuilt):
        campaign_kpi(name)


def test_a_range_defaults_to_the_31_days_before() -> None:
    asked = date_range(None, None, NOW)
    assert (asked.start, asked.end) == (NOW - timedelta(days=31), NOW)
    assert asked.days[1] - asked.days[0] == 31
    assert day_text(asked.days[1]) == "2026-11-25"
    early = date_range(None, NOW - timedelta(days=9), NOW)
    assert early.start == NOW - timedelta(days=40)


@pytest.mark.parametrize(
    ("start_days", "end_days", "fields"),
    [
        (90, 59, []),
        (90.1, 60, ["start_time"]),
        (31, 0, []),
        (31.1, 0, ["end_time"]),
        (1, 2, ["end_time"]),
        (120, 60, ["end_time", "start_time"]),
    ],
)
def test_a_range_has_limits(start_days: float, end_days: float, fields: list[str]) -> None:
    start, end = (NOW - timedelta(days=days) for days in (start_days, end_days))
    found: list[str] = []
    try:
        date_range(start, end, NOW)
    except InvalidFields as refused:
        found = [v.field for v in refused.violations]
    assert found == fields
