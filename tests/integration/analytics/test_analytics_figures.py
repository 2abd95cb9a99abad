"""Figures from real events: counters, unique and hourly counts, answers by Pinpoint's names."""

import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from touchpoint.analytics.v1 import analytics_service_pb2 as pb
from touchpoint.analytics.v1.event_pb2 import Event
from touchpoint.analytics.v1.events_pb2 import EventBatch
from touchpoint.applications.v1.events_pb2 import ApplicationDeleted

from libs.bus.publisher import open_publisher, outgoing
from libs.bus.topology import EVENTS
from libs.ids import new_id
from tests.integration.analytics.serving import AUTHORIZATION, Analytics, until

pytestmark = pytest.mark.servers

HOUR_START = int(time.time()) // 3600 * 3600 - 3600  # a whole hour that is over


def event(name: str, client: str, second: int = 0, **attributes: str) -> Event:
    return Event(
        event_id=new_id(),
        event_type=name,
        client_id=client,
        event_time=Timestamp(seconds=HOUR_START + second),
        attributes=attributes,
    )


def of_campaign(name: str, client: str, second: int = 0, **more: str) -> Event:
    told = {"campaign_id": "c1", "campaign_activity_id": "a1", "treatment_id": "0",
            "message_id": f"m-{client}", **more}  # fmt: skip
    return event(name, client, second, **told)


async def publish(analytics: Analytics, app_id: str, events: list[Event]) -> None:
    for one in events:
        one.application_id = app_id
    async with AsyncExitStack() as stack:
        url = analytics.settings.amqp_url.get_secret_value()
        publisher = await open_publisher(url, EVENTS, "tests", stack)
        batches = [EventBatch(events=events[i : i + 7]) for i in range(0, len(events), 7)]
        await publisher.publish([outgoing("messaging.events", b, new_id()) for b in batches])


async def counts(analytics: Analytics, app_id: str, campaign_id: str) -> list[Any]:
    answer = await analytics.figures.GetCampaignEventCounts(
        pb.GetCampaignEventCountsRequest(application_id=app_id, campaign_id=campaign_id),
        metadata=AUTHORIZATION,
    )
    return [(c.event_type, c.activity_id, c.treatment_id, c.count, c.unique_count)
            for c in answer.counts]  # fmt: skip


async def campaign_kpi(analytics: Analytics, app_id: str, name: str, **more: Any) -> Any:
    request = pb.GetCampaignDateRangeKpiRequest(
        application_id=app_id, campaign_id="c1", kpi_name=name, **more
    )
    return await analytics.figures.GetCampaignDateRangeKpi(request, metadata=AUTHORIZATION)


async def application_kpi(analytics: Analytics, app_id: str, name: str) -> Any:
    request = pb.GetApplicationDateRangeKpiRequest(application_id=app_id, kpi_name=name)
    return await analytics.figures.GetApplicationDateRangeKpi(request, metadata=AUTHORIZATION)


def values(answer: Any) -> list[Any]:
    return [
        (*(g.value for g in row.grouped_bys), *(float(v.value) for v in row.values))
        for row in answer.kpi_result.rows
    ]


def campaign_events() -> Iterator[Event]:
    for n in range(10):
        yield of_campaign("_campaign.send", f"e{n}", delivery_type="EMAIL",
                          campaign_send_status="SUCCESS")  # fmt: skip
        yield of_campaign("_email.send", f"e{n}")
    for n in range(3):
        yield of_campaign("_campaign.send", f"h{n}", campaign_send_status="HOLDOUT")
    for n in range(9):
        yield of_campaign("_email.delivered", f"e{n}")
    yield of_campaign("_email.softbounce", "e8", 60)  # a server took it, and sent it back
    yield of_campaign("_email.hardbounce", "e9")
    for second in (0, 60, 3599, 3600):  # three opens of one hour, one of the next
        yield of_campaign("_email.open", "e0", second)
    yield of_campaign("_email.open", "e1")
    for second in (0, 1, 2):
        yield of_campaign("_email.click", "e0", second, feedback="https://x/1")
    yield of_campaign("_email.click", "e0", 3, feedback="https://x/2")


async def settled(analytics: Analytics, app_id: str, count: int) -> None:
    async def there() -> bool:
        return len(await analytics.listed(application_id=app_id, page_size=1000)) == count

    await until(there)


async def test_figures_of_a_campaign(analytics: Analytics) -> None:
    app_id, events = uuid.uuid4().hex, list(campaign_events())
    await publish(analytics, app_id, events)
    await publish(analytics, app_id, [*events[::3]])  # repeats
    await settled(analytics, app_id, len(events))
    assert await counts(analytics, app_id, "c1") == [
        ("_campaign.send", "a1", "0", 13, 13),
        ("_email.click", "a1", "0", 4, 1),
        ("_email.delivered", "a1", "0", 9, 9),
        ("_email.hardbounce", "a1", "0", 1, 1),
        ("_email.open", "a1", "0", 5, 2),
        ("_email.send", "a1", "0", 10, 10),
        ("_email.softbounce", "a1", "0", 1, 1),
    ]
    expected = {
        "unique-deliveries": [(8.0,)],
        "successful-delivery-rate": [(0.8,)],
        "hard-bounce-rate-grouped-by-campaign-activity": [("a1", 0.1)],
        "email-open-rate": [(0.25,)],
        "direct-email-opens-grouped-by-campaign-activity": [("a1", 3.0)],
        "clicks-grouped-by-campaign-activity": [("a1", 2.0)],
        "attempted-deliveries-grouped-by-campaign-activity": [("a1", 10.0)],
        "sms-spend": [],
    }
    for name, figure in expected.items():
        assert values(await campaign_kpi(analytics, app_id, name)) == figure, name
    answer = await application_kpi(analytics, app_id, "unique-deliveries-grouped-by-campaign")
    assert values(answer) == [("c1", 8.0)]
    (row,) = answer.kpi_result.rows
    assert (row.grouped_bys[0].key, row.grouped_bys[0].type) == ("CampaignId", "String")
    assert (row.values[0].key, row.values[0].type) == ("UniqueDeliveries", "Double")
    assert row.values[0].value == "8.0"
    # A campaign's mail is no direct mail, and another application has nothing.
    assert values(await application_kpi(analytics, app_id, "txn-emails-sent")) == []
    assert values(await campaign_kpi(analytics, uuid.uuid4().hex, "unique-deliveries")) == []


async def test_figures_of_direct_messages(analytics: Analytics) -> None:
    app_id = uuid.uuid4().hex
    events = [event("_email.send", f"e{n}", message_id=f"m{n}") for n in range(4)]
    events += [event("_email.delivered", f"e{n}", message_id=f"m{n}") for n in range(3)]
    events += [event("_email.rejected", "e3", message_id="m3")]
    events += [event("_email.click", "e0", s, message_id="m0", feedback="u") for s in range(5)]
    events += [event("_SMS.BUFFERED", f"e{n}", message_id=f"s{n}", iso_country_code="DE",
                     number_of_message_parts="2") for n in range(3)]  # fmt: skip
    events += [event("_SMS.SUCCESS", "e0", message_id="s0", iso_country_code="DE",
                     number_of_message_parts="2", record_status="DELIVERED")]  # fmt: skip
    events[-1].metrics["price_in_millicents_usd"] = 645.0
    events += [event("_SMS.FAILURE", "e1", message_id="s1", iso_country_code="DE",
                     number_of_message_parts="2", record_status="UNREACHABLE")]  # fmt: skip
    await publish(analytics, app_id, events)
    await settled(analytics, app_id, len(events))
    day = time.strftime("%Y-%m-%d", time.gmtime(HOUR_START))
    expected = {
        "txn-emails-sent": [(4.0,)],
        "txn-emails-delivery-rate": [(0.75,)],
        "txn-emails-delivered-grouped-by-date": [(day, 3.0)],
        "txn-emails-clicked": [(5.0,)],
        "txn-emails-unique-clicks": [(1.0,)],
        "txn-sms-sent-by-parts-grouped-by-country": [("DE", 6.0)],
        "txn-sms-delivered": [(1.0,)],
        "txn-sms-error-distribution": [("UNREACHABLE", 1.0)],
        "txn-sms-average-price-grouped-by-country": [("DE", 322.5)],
        "txn-sms-total-price-grouped-by-country": [("DE", 645.0)],
        "unique-deliveries": [],
    }
    for name, figure in expected.items():
        assert values(await application_kpi(analytics, app_id, name)) == figure, name


async def test_a_range_of_days_is_inclusive(analytics: Analytics) -> None:
    app_id, day = uuid.uuid4().hex, 86_400
    today = HOUR_START // day * day
    events = []
    for back in range(5):
        one = of_campaign("_email.send", f"e{back}")
        one.event_time.seconds = today - back * day
        events.append(one)
    await publish(analytics, app_id, events)
    await settled(analytics, app_id, 5)
    answer = await campaign_kpi(
        analytics,
        app_id,
        "unique-deliveries",
        start_time=Timestamp(seconds=today - 3 * day),
        end_time=Timestamp(seconds=today - day),
    )
    assert values(answer) == [(3.0,)]
    assert answer.start_time.seconds == today - 3 * day


@pytest.mark.parametrize(
    ("name", "more", "code", "field"),
    [
        ("nonsense", {}, grpc.StatusCode.INVALID_ARGUMENT, "kpi_name"),
        ("push-open-rate", {}, grpc.StatusCode.UNIMPLEMENTED, "push-open-rate"),
        (
            "unique-deliveries",
            {"start_time": Timestamp(seconds=1), "end_time": Timestamp(seconds=2)},
            grpc.StatusCode.INVALID_ARGUMENT,
            "start_time",
        ),
        (
            "unique-deliveries",
            {"start_time": Timestamp(seconds=10**15)},
            grpc.StatusCode.INVALID_ARGUMENT,
            "start_time",
        ),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    analytics: Analytics, name: str, more: dict[str, Any], code: grpc.StatusCode, field: str
) -> None:
    with pytest.raises(aio.AioRpcError) as refused:
        await campaign_kpi(analytics, "app", name, **more)
    assert refused.value.code() == code
    assert field in (refused.value.details() or "")


async def test_a_deleted_application_leaves_nothing(analytics: Analytics) -> None:
    app_id, other = uuid.uuid4().hex, uuid.uuid4().hex
    for one in (app_id, other):
        await publish(analytics, one, list(campaign_events()))
        await settled(analytics, one, len(list(campaign_events())))
    async with AsyncExitStack() as stack:
        url = analytics.settings.amqp_url.get_secret_value()
        publisher = await open_publisher(url, EVENTS, "tests", stack)
        deleted = ApplicationDeleted(application_id=app_id)
        await publisher.publish([outgoing("applications.deleted", deleted, app_id)])

    async def gone() -> bool:
        return not await analytics.listed(application_id=app_id) and not await counts(
            analytics, app_id, "c1"
        )

    await until(gone)
    assert len(await counts(analytics, other, "c1")) == 7
    # Its marks are gone too: the same endpoints count as unique again.
    await publish(analytics, app_id, [of_campaign("_email.open", "e0")])
    await until(lambda: _is_there(analytics, app_id))
    assert await counts(analytics, app_id, "c1") == [("_email.open", "a1", "0", 1, 1)]


async def _is_there(analytics: Analytics, app_id: str) -> bool:
    return bool(await counts(analytics, app_id, "c1"))
