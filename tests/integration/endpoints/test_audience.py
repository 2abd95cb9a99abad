"""Counting, streaming and explaining audiences over real RPCs on a real MongoDB."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from touchpoint.analytics.v1 import event_pb2, events_pb2
from touchpoint.applications.v1 import events_pb2 as applications_pb
from touchpoint.common.v1.channel_pb2 import (
    CHANNEL_TYPE_EMAIL,
    CHANNEL_TYPE_GCM,
    CHANNEL_TYPE_PUSH,
    CHANNEL_TYPE_SMS,
)
from touchpoint.endpoints.v1 import audience_service_pb2 as pb
from touchpoint.endpoints.v1 import endpoint_filter_pb2 as filters
from touchpoint.endpoints.v1 import endpoint_pb2 as resource
from touchpoint.endpoints.v1 import endpoints_service_pb2 as endpoints_pb

from libs.bus.publisher import Publisher, outgoing
from libs.bus.topology import EVENTS
from tests.integration.endpoints.conftest import Endpoints, eventually
from tests.support.running import refusal

Filter = filters.EndpointFilter


async def filled(service: Endpoints, app_id: str, count: int) -> None:
    items = [
        resource.Endpoint(
            endpoint_id=f"User-{n}",
            address=f"u{n}@example.com",
            channel_type=CHANNEL_TYPE_EMAIL,
            metrics={"n": float(n)},
        )
        for n in range(count)
    ]
    for start in range(0, count, 100):
        request = endpoints_pb.BatchUpdateEndpointsRequest(
            application_id=app_id, endpoints=items[start : start + 100]
        )
        answer = await service.endpoints.BatchUpdateEndpoints(request)
        assert {r.status_code for r in answer.results} == {202}


def number(comparison: Any, value: float) -> Filter:
    test = filters.NumberTest(name="n", comparison=comparison, value=value)
    return Filter(number=test)


async def test_shards_are_disjoint_and_together_the_whole(service: Endpoints, app_id: str) -> None:
    await filled(service, app_id, 700)
    whole = await service.ids(app_id)
    assert len(whole) == len(set(whole)) == 700
    for count in (1, 2, 7, 256):
        parts = [await service.ids(app_id, shard=s, shard_count=count) for s in range(count)]
        assert [name for part in parts for name in part] == whole
    halves = [await service.ids(app_id, shard=s, shard_count=2) for s in range(2)]
    assert all(len(half) > 250 for half in halves)


async def test_a_stream_goes_on_after_any_cursor(service: Endpoints, app_id: str) -> None:
    await filled(service, app_id, 450)
    asked = number(filters.COMPARISON_GREATER_THAN_OR_EQUAL, 30)
    whole = await service.ids(app_id, asked)
    assert len(whole) == 420
    batches = await service.stream(app_id, asked, batch_size=64)
    assert {len(b.members) for b in batches[:-1]} == {64}
    done: list[str] = []
    for batch in batches:
        done += [m.endpoint_id for m in batch.members]
        rest = await service.ids(app_id, asked, cursor=batch.cursor)
        assert done + rest == whole
    shard = await service.stream(app_id, asked, shard=1, shard_count=3, batch_size=10)
    last = await service.ids(app_id, asked, shard=1, shard_count=3, cursor=shard[0].cursor)
    assert len(last) == sum(len(b.members) for b in shard[1:])
    before = await service.ids(app_id, asked, shard=2, shard_count=3, cursor=shard[0].cursor)
    assert before == await service.ids(app_id, asked, shard=2, shard_count=3)


async def test_a_member_carries_what_a_sender_needs_and_the_endpoint_unread(
    service: Endpoints, app_id: str
) -> None:
    written = await service.put(
        app_id,
        "Me",
        address="a@example.com",
        channel_type=CHANNEL_TYPE_EMAIL,
        demographic=resource.Demographic(timezone="Asia/Tokyo"),
        user=resource.User(user_id="u"),
        opt_out=resource.OPT_OUT_ALL,
        endpoint_status=resource.ENDPOINT_STATUS_INACTIVE,
    )
    (batch,) = await service.stream(app_id)
    (member,) = batch.members
    assert resource.Endpoint.FromString(member.endpoint) == written
    assert (member.endpoint_id, member.address, member.user_id) == ("Me", "a@example.com", "u")
    assert (member.timezone, member.cohort) == ("Asia/Tokyo", int(written.cohort_id))
    assert (member.opted_out, member.inactive) == (True, True)
    assert member.channel_type == CHANNEL_TYPE_EMAIL


async def test_a_count_tells_all_eligible_and_channels(service: Endpoints, app_id: str) -> None:
    out, gone = resource.OPT_OUT_ALL, resource.ENDPOINT_STATUS_INACTIVE
    await service.put(app_id, "a", address="a@x.org", channel_type=CHANNEL_TYPE_EMAIL)
    await service.put(app_id, "b", address="b@x.org", channel_type=CHANNEL_TYPE_EMAIL, opt_out=out)
    await service.put(app_id, "c", address="+1", channel_type=CHANNEL_TYPE_SMS)
    await service.put(app_id, "d", channel_type=CHANNEL_TYPE_SMS)
    await service.put(app_id, "e", address="t", channel_type=CHANNEL_TYPE_GCM, endpoint_status=gone)
    await service.put(app_id, "f", metrics={"n": 1})
    counted = await service.count(app_id)
    assert (counted.total_count, counted.eligible_count) == (6, 2)
    channels = {c.channel_type: c.count for c in counted.channel_counts}
    assert channels == {CHANNEL_TYPE_EMAIL: 2, CHANNEL_TYPE_SMS: 2, CHANNEL_TYPE_GCM: 1, 0: 1}
    push = Filter(channel=filters.ChannelTest(included=True, channel_types=[CHANNEL_TYPE_PUSH]))
    assert await service.ids(app_id, push) == ["e"]


async def test_two_applications_never_see_each_others_endpoints(
    service: Endpoints, app_id: str
) -> None:
    # Ids that would meet if ranges were not closed: one is a prefix of the others.
    apps = [app_id, f"{app_id}0", f"{app_id}.x", app_id[:-1]]
    for app in apps:
        user = resource.User(user_id="same", user_attributes={})
        await service.put(
            app, "same", address="a@x.org", channel_type=CHANNEL_TYPE_EMAIL, user=user
        )
        await service.put(app, f"only-{app}", user=user)
    for app in apps:
        assert sorted(await service.ids(app)) == sorted(["same", f"only-{app}"])
        assert (await service.count(app)).total_count == 2
        assert (await service.get(app, "same")).endpoint_status == resource.ENDPOINT_STATUS_ACTIVE
        found = await service.endpoints.GetUserEndpoints(
            endpoints_pb.GetUserEndpointsRequest(application_id=app, user_id="same")
        )
        assert {e.application_id for e in found.endpoints} == {app}
    with pytest.raises(aio.AioRpcError) as caught:
        await service.get(app_id, f"only-{apps[1]}")
    assert refusal(caught.value).reason == "RESOURCE_NOT_FOUND"
    with pytest.raises(aio.AioRpcError) as escaped:
        await service.ids(f"{app_id}/00")
    assert refusal(escaped.value).fields == {"application_id"}
    with pytest.raises(aio.AioRpcError):
        await service.get(apps[3], f"{app_id[-1]}/same")


async def test_an_endpoint_is_explained_node_by_node(service: Endpoints, app_id: str) -> None:
    await service.put(app_id, "e", location=resource.Location(country="DE"), metrics={"n": 3.0})
    country = filters.TextTest(
        field=filters.FILTER_FIELD_COUNTRY,
        operator=filters.TextTest.OPERATOR_IN,
        values=["JP", "KR"],
    )
    number_test = number(filters.COMPARISON_EQUAL, 3)
    none_of = Filter(none_of=filters.FilterGroup(filters=[Filter(text=country)]))
    asked = Filter(all_of=filters.FilterGroup(filters=[none_of, number_test]))
    request = pb.ExplainEndpointRequest(application_id=app_id, endpoint_id="e", filter=asked)
    answer = await service.audience.ExplainEndpoint(request)
    assert answer.admitted
    told = [(f.path, f.description, f.holds, f.seen) for f in answer.findings]
    assert told == [
        ("", "all of these hold", True, ""),
        ("0", "none of these holds", True, ""),
        ("0.0", "Location.Country is one of JP, KR", False, "DE"),
        ("1", "Metrics.n = 3", True, "3"),
    ]
    assert answer.endpoint.location.country == "DE"


async def test_a_filter_that_asks_nonsense_is_refused_node_by_node(
    service: Endpoints, app_id: str
) -> None:
    parts = [
        Filter(text=filters.TextTest(field=filters.FILTER_FIELD_ATTRIBUTE)),
        Filter(version=filters.VersionTest(field=filters.FILTER_FIELD_COUNTRY, version="x")),
        Filter(activity=filters.ActivityTest(active=True)),
    ]
    asked = Filter(any_of=filters.FilterGroup(filters=parts))
    with pytest.raises(aio.AioRpcError) as caught:
        await service.count(app_id, asked)
    assert refusal(caught.value).fields == {
        "filter[0].name",
        "filter[0].operator",
        "filter[0].values",
        "filter[1].field",
        "filter[1].comparison",
        "filter[1].version",
        "filter[2].since_time",
    }
    with pytest.raises(aio.AioRpcError) as wrong:
        await service.stream(app_id, shard=3, shard_count=3, batch_size=5001)
    assert refusal(wrong.value).fields == {"shard", "batch_size"}


async def test_events_move_the_last_activity_forward(
    service: Endpoints, app_id: str, amqp_url: str
) -> None:
    long_ago = Timestamp(seconds=int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()))
    await service.put(app_id, "Seen", effective_date=long_ago)
    await service.put(app_id, "quiet", effective_date=long_ago)
    since = Timestamp()
    since.FromDatetime(datetime.now(UTC) - timedelta(days=7))
    active = Filter(activity=filters.ActivityTest(active=True, since_time=since))
    inactive = Filter(activity=filters.ActivityTest(active=False, since_time=since))
    assert await service.ids(app_id, active) == []
    now = Timestamp()
    now.GetCurrentTime()
    event = event_pb2.Event(application_id=app_id, client_id="seen", event_time=now)
    batch = events_pb2.EventBatch(events=[event])
    publisher = Publisher(amqp_url, EVENTS, "test")
    await publisher.publish([outgoing("analytics.events", batch, "1")])

    async def noticed() -> bool:
        return await service.ids(app_id, active) == ["Seen"]

    async def emptied() -> bool:
        return (await service.count(app_id)).total_count == 0

    await eventually(noticed)
    assert await service.ids(app_id, inactive) == ["quiet"]
    await service.put(app_id, "Seen", effective_date=long_ago)  # an update takes nothing back
    assert await service.ids(app_id, active) == ["Seen"]
    gone = applications_pb.ApplicationDeleted(application_id=app_id)
    await publisher.publish([outgoing("applications.deleted", gone, app_id)])
    await eventually(emptied)
    await publisher.close()
