"""Events through PutEvents: what is answered, kept, listed and refused."""

import asyncio
import time
import uuid

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from touchpoint.analytics.v1 import analytics_service_pb2 as pb
from touchpoint.analytics.v1.event_pb2 import Event, Session

from tests.integration.analytics.serving import AUTHORIZATION, Analytics, now, request

pytestmark = pytest.mark.servers


async def test_an_event_is_stored_as_it_was_given(analytics: Analytics) -> None:
    app_id = uuid.uuid4().hex
    event = Event(
        event_type="Item Bought",
        event_time=now(),
        attributes={"item": "XYZ"},
        metrics={"price": 1.99},
        session=Session(session_id="s1", start_time=now()),
        user_id="u1",
    )
    answer = await analytics.put(request(app_id, {"Endpoint-1": {"e1": event}}))
    result = answer.results["Endpoint-1"]
    assert result.endpoint_item_response.status_code == 202
    assert result.events_item_response["e1"].status_code == 202
    (kept,) = await analytics.stored(app_id, 1)
    assert (kept.event_id, kept.client_id, kept.application_id) == ("e1", "Endpoint-1", app_id)
    assert kept.event_time == event.event_time
    assert abs(kept.arrival_time.seconds - time.time()) < 60
    assert dict(kept.attributes) == {"item": "XYZ"}
    assert dict(kept.metrics) == {"price": 1.99}
    assert (kept.session, kept.user_id) == (event.session, "u1")


async def test_one_bad_event_fails_alone(analytics: Analytics) -> None:
    app_id = uuid.uuid4().hex
    events = {
        "good": Event(event_type="level_complete", event_time=now()),
        "reserved": Event(event_type="_mine", event_time=now()),
        "timeless": Event(event_type="level_complete"),
        "service": Event(event_type="_email.delivered", event_time=now()),
        "standard": Event(event_type="_session.start", event_time=now()),
    }
    answer = await analytics.put(request(app_id, {"e": events, "a{b}": {"x": events["good"]}}))
    codes = {k: v.status_code for k, v in answer.results["e"].events_item_response.items()}
    expected = {"good": 202, "reserved": 400, "timeless": 400, "service": 400, "standard": 202}
    assert codes == expected
    for name in ("reserved", "service"):
        assert "EventType" in answer.results["e"].events_item_response[name].message
    refused = answer.results["a{b}"]
    assert refused.endpoint_item_response.status_code == 400
    assert refused.events_item_response["x"].status_code == 400
    kept = await analytics.stored(app_id, 2)
    assert {event.event_id for event in kept} == {"good", "standard"}


async def test_a_repeat_is_acknowledged_and_not_stored_twice(analytics: Analytics) -> None:
    app_id = uuid.uuid4().hex
    first = request(app_id, {"e": {"same": Event(event_type="a", event_time=now())}})
    for _ in range(3):
        answer = await analytics.put(first)
        assert answer.results["e"].events_item_response["same"].status_code == 202
    # The same id of another client is another event.
    await analytics.put(request(app_id, {"f": {"same": Event(event_type="a", event_time=now())}}))
    await analytics.put(request(app_id, {"f": {"last": Event(event_type="a", event_time=now())}}))
    kept = await analytics.stored(app_id, 3)
    assert sorted((e.client_id, e.event_id) for e in kept) == [
        ("e", "same"), ("f", "last"), ("f", "same"),
    ]  # fmt: skip


async def test_endpoints_are_changed_before_their_events(analytics: Analytics) -> None:
    app_id = uuid.uuid4().hex
    asked = request(
        app_id,
        {
            "Up-Per": {"1": Event(event_type="a", event_time=now())},
            "bad-one": {"2": Event(event_type="a", event_time=now())},
            "plain": {"3": Event(event_type="a", event_time=now())},
        },
    )
    asked.batch_item["Up-Per"].endpoint.address = "a@example.com"
    asked.batch_item["Up-Per"].endpoint.user.user_id = "person"
    asked.batch_item["bad-one"].endpoint.address = "?"
    answer = await analytics.put(asked)
    told = {k: v.endpoint_item_response.status_code for k, v in answer.results.items()}
    assert told == {"Up-Per": 202, "bad-one": 400, "plain": 202}
    assert "no email" in answer.results["bad-one"].endpoint_item_response.message
    told = {
        k: c.status_code for r in answer.results.values() for k, c in r.events_item_response.items()
    }
    assert told == {"1": 202, "2": 202, "3": 202}
    (sent,) = [r for r in analytics.endpoints.seen if r.application_id == app_id]
    assert {one.endpoint_id for one in sent.endpoints} == {"Up-Per", "bad-one"}
    users = {e.client_id: e.user_id for e in await analytics.stored(app_id, 3)}
    assert users == {"Up-Per": "person", "bad-one": "", "plain": ""}


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (pb.PutEventsRequest(application_id="app"), "batch_item"),
        (request("", {"e": {"1": Event(event_type="a")}}), "application_id"),
        (request("a", {"e": {str(n): Event(event_type="a") for n in range(101)}}), "batch_item"),
        (request("a", {str(n): {} for n in range(101)}), "batch_item"),
    ],
)
async def test_a_request_over_its_limits_is_refused(
    analytics: Analytics, asked: pb.PutEventsRequest, field: str
) -> None:
    with pytest.raises(aio.AioRpcError) as refused:
        await analytics.put(asked)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert field in (refused.value.details() or "")


async def test_a_request_of_more_than_4_mb_is_refused(analytics: Analytics) -> None:
    big = Event(event_type="a", event_time=now(), user_id="u" * 1_100_000)
    one = await analytics.put(request("app", {"e": {"1": big}}))
    assert one.results["e"].events_item_response["1"].status_code == 400
    with pytest.raises(aio.AioRpcError) as refused:
        await analytics.put(request("app", {"e": {str(n): big for n in range(4)}}))
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_listing_filters_and_pages(analytics: Analytics) -> None:
    app_id, start = uuid.uuid4().hex, int(time.time()) - 1000
    events = {
        f"e{n}": Event(
            event_type="odd" if n % 2 else "even",
            event_time=Timestamp(seconds=start + n // 2),  # pairs share their time
            attributes={"campaign_id": "c"} if n < 4 else {},
        )
        for n in range(20)
    }
    await analytics.put(request(app_id, {"x": events}))
    await analytics.put(request(app_id, {"y": {"own": events["e0"]}}))
    everything = await analytics.stored(app_id, 21)
    times = [e.event_time.seconds for e in everything]
    assert times == sorted(times, reverse=True)
    pages: list[Event] = []
    token = ""
    for _ in range(10):
        page = await analytics.events.ListEvents(
            pb.ListEventsRequest(application_id=app_id, page_size=4, page_token=token),
            metadata=AUTHORIZATION,
        )
        pages.extend(page.events)
        token = page.next_page_token
        if not token:
            break
    assert pages == everything
    odd = await analytics.listed(application_id=app_id, event_type="odd")
    assert {e.event_id for e in odd} == {f"e{n}" for n in range(1, 20, 2)}
    own = await analytics.listed(application_id=app_id, client_id="y")
    assert [e.event_id for e in own] == ["own"]
    campaign = await analytics.listed(application_id=app_id, campaign_id="c", client_id="x")
    assert {e.event_id for e in campaign} == {"e0", "e1", "e2", "e3"}
    some = await analytics.listed(
        application_id=app_id,
        client_id="x",
        start_time=Timestamp(seconds=start + 2),
        end_time=Timestamp(seconds=start + 4),
    )
    assert {e.event_id for e in some} == {"e4", "e5", "e6", "e7"}
    assert await analytics.listed(application_id=uuid.uuid4().hex) == []


async def test_a_page_token_of_another_query_is_refused(analytics: Analytics) -> None:
    app_id = uuid.uuid4().hex
    events = {str(n): Event(event_type="a", event_time=now()) for n in range(3)}
    await analytics.put(request(app_id, {"x": events}))
    await analytics.stored(app_id, 3)
    page = await analytics.events.ListEvents(
        pb.ListEventsRequest(application_id=app_id, page_size=2), metadata=AUTHORIZATION
    )
    with pytest.raises(aio.AioRpcError) as refused:
        await analytics.listed(application_id="other", page_token=page.next_page_token)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_hundreds_of_single_events_side_by_side_are_all_kept(analytics: Analytics) -> None:
    app_id = uuid.uuid4().hex
    calls = [
        analytics.put(request(app_id, {f"c{n}": {"e": Event(event_type="a", event_time=now())}}))
        for n in range(500)
    ]
    answers = await asyncio.gather(*calls)
    accepted = [next(iter(a.results.values())).events_item_response["e"] for a in answers]
    assert {one.status_code for one in accepted} == {202}
    assert len(await analytics.stored(app_id, 500)) == 500
