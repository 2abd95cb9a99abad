"""Who is in a segment, asked of the real endpoints service."""

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2 as resource
from touchpoint.segmentation.v1 import segment_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2 as pb

from libs.timestamps import from_timestamp
from services.segmentation.domain.segment import Reference, Segment
from services.segmentation.servicer.encoding import segment_to_proto
from tests.integration.segmentation.conftest import Desk
from tests.integration.segmentation.waiting import eventually
from tests.support.running import refusal
from tests.support.segment_meaning import (
    NOW,
    Person,
    member,
    random_library,
    random_person,
    random_segment,
)

PEOPLE = 250
LIBRARIES = 10
SEGMENTS_EACH = 6


def endpoint(person: Person, number: int = 0) -> resource.Endpoint:
    """The endpoint of a person."""
    address = f"+1206555{number:04d}" if person.channel == "SMS" else f"{person.name}@example.com"
    made = resource.Endpoint(
        endpoint_id=person.name,
        address=address,
        channel_type=channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{person.channel}"),
        metrics=person.metrics,
        demographic=resource.Demographic(**person.facts),
    )
    for name, values in person.attributes.items():
        made.attributes[name].values.extend(values)
    if person.user_attributes:
        made.user.user_id = f"user of {person.name}"
    for name, values in person.user_attributes.items():
        made.user.user_attributes[name].values.extend(values)
    if person.country:
        made.location.country = person.country
    if person.point:
        made.location.latitude, made.location.longitude = person.point
    made.effective_date.FromDatetime(person.last_activity)
    return made


def renamed(segment: Segment, ids: dict[str, str]) -> segment_pb2.Segment:
    """The segment as its author sends it, with the ids its base segments got."""
    if segment.groups is None:
        return segment_to_proto(segment)
    groups = tuple(
        replace(group, sources=tuple(Reference(ids[one.segment_id]) for one in group.sources))
        for group in segment.groups.groups
    )
    return segment_to_proto(replace(segment, groups=replace(segment.groups, groups=groups)))


def storable(segment: Segment) -> bool:
    """Whether base segments go together: an imported one only alone, and then in one group."""
    groups = segment.groups.groups if segment.groups else ()
    on_import = [any(s.segment_id == "imported" for s in group.sources) for group in groups]
    mixed = [i and len(group.sources) > 1 for i, group in zip(on_import, groups, strict=True)]
    return not any(mixed) and not (len(groups) > 1 and on_import[0])


async def _crowd(desk: Desk, app_id: str, dice: Random) -> list[Person]:
    people = [random_person(dice, f"p{number}") for number in range(PEOPLE)]
    await desk.put(app_id, (endpoint(person, n) for n, person in enumerate(people)))
    listed = [person.name for person in people if "imported" in person.imports]
    await desk.import_segment(app_id, "imported", listed)
    get = pb.GetSegmentRequest(application_id=app_id, segment_id="imported")
    await eventually(lambda: desk.stub.GetSegment(get))
    return people


async def _library(desk: Desk, app_id: str, dice: Random) -> tuple[Any, dict[str, str]]:
    library = random_library(dice)
    while not all(map(storable, library.values())):
        library = random_library(dice)
    ids = {"imported": "imported"}
    for reference, segment in library.items():
        if not segment.imported:
            made = await desk.create(app_id, renamed(segment, ids))
            ids[reference.segment_id] = made.segment_id
    return library, ids


@pytest.mark.parametrize("seed", range(LIBRARIES))
async def test_members_are_those_the_definition_means(
    desk: Desk, crowd: tuple[str, list[Person]], seed: int
) -> None:
    """Random segments over random people: stream and estimate agree with spec 4.3 and 4.4."""
    app_id, people = crowd
    dice = Random(seed)
    library, ids = await _library(desk, app_id, dice)
    tops = [random_segment(dice, f"top{n}", list(library)) for n in range(40)]
    for segment in [top for top in tops if storable(top)][:SEGMENTS_EACH]:
        expected = {p.name for p in people if member(segment, p, library)}
        made = await desk.create(app_id, renamed(segment, ids))
        found = await desk.members(app_id, made.segment_id)
        assert len(found) == len(set(found))
        assert set(found) == expected
        reference = segment_pb2.SegmentReference(segment_id=made.segment_id)
        estimate = await desk.stub.EstimateSegment(
            pb.EstimateSegmentRequest(application_id=app_id, reference=reference)
        )
        assert estimate.total_count == len(expected)
        channels = Counter(p.channel for p in people if p.name in expected)
        assert {
            channel_pb2.ChannelType.Name(c.channel_type).removeprefix(
                "CHANNEL_TYPE_"
            ): c.total_count
            for c in estimate.channels
        } == channels


@pytest.fixture(scope="module")
async def crowd(desk: Desk) -> tuple[str, list[Person]]:
    app_id = await desk.application()
    return app_id, await _crowd(desk, app_id, Random("people"))


def _segment(**parts: Any) -> segment_pb2.Segment:
    return segment_pb2.Segment(name="Sample", **parts)


def _in(country: str) -> segment_pb2.Segment:
    made = _segment()
    made.dimensions.location.country.values.append(country)
    return made


async def test_vip_is_above_ten_thousand(desk: Desk, app_id: str) -> None:
    """Spec 12.8: 10,000.00 is no member, 10,000.01 is."""
    people = [Person("poor", metrics={"LTV": 10000.00}), Person("vip", metrics={"LTV": 10000.01})]
    await desk.put(app_id, map(endpoint, people))
    vip = _segment()
    vip.dimensions.metrics[
        "LTV"
    ].comparison_operator = segment_pb2.MetricDimension.COMPARISON_OPERATOR_GREATER_THAN
    vip.dimensions.metrics["LTV"].value = 10000
    made = await desk.create(app_id, vip)
    assert await desk.members(app_id, made.segment_id) == ["vip"]


async def test_applications_never_see_each_other(desk: Desk) -> None:
    mine, other = await desk.application(), await desk.application()
    await desk.put(mine, [endpoint(Person("m1")), endpoint(Person("m2"))])
    await desk.put(other, [endpoint(Person("o1"))])
    everybody = await desk.create(mine, _segment(dimensions=segment_pb2.SegmentDimensions()))
    theirs = await desk.create(other, _segment(dimensions=segment_pb2.SegmentDimensions()))
    assert sorted(await desk.members(mine, everybody.segment_id)) == ["m1", "m2"]
    assert await desk.members(other, theirs.segment_id) == ["o1"]
    with pytest.raises(aio.AioRpcError) as caught:
        await desk.members(other, everybody.segment_id)
    assert refusal(caught.value).reason == "RESOURCE_NOT_FOUND"
    built = _segment()
    group = built.segment_groups.groups.add()
    group.source_segments.add(segment_id=theirs.segment_id)
    with pytest.raises(aio.AioRpcError) as caught:
        await desk.create(mine, built)
    assert refusal(caught.value).fields == {
        "segment.segment_groups.groups[0].source_segments[0].segment_id"
    }


async def test_stream_is_cut_into_shards_and_resumed(
    desk: Desk, crowd: tuple[str, list[Person]]
) -> None:
    app_id, people = crowd
    made = await desk.create(app_id, _in("JP"))
    expected = {person.name for person in people if person.country == "JP"}
    parts = [await desk.members(app_id, made.segment_id, shard=n, shard_count=3) for n in range(3)]
    assert sum(map(len, parts)) == len(expected)
    assert set().union(*parts) == expected
    assert all(parts)
    reference = segment_pb2.SegmentReference(segment_id=made.segment_id)
    request = pb.StreamSegmentMembersRequest(application_id=app_id, reference=reference)
    [whole] = [batch async for batch in desk.stub.StreamSegmentMembers(request)]
    assert await desk.members(app_id, made.segment_id, cursor=whole.cursor) == []
    assert whole.members[0].endpoint  # what a sender passes on comes along
    with pytest.raises(aio.AioRpcError) as caught:
        await desk.members(app_id, made.segment_id, shard=3, shard_count=3)
    assert refusal(caught.value).fields == {"shard"}


async def test_estimate_tells_who_can_be_reached(desk: Desk, app_id: str) -> None:
    away = endpoint(Person("away", country="JP"))
    away.opt_out = resource.OPT_OUT_ALL
    people = [Person("one", country="JP"), Person("two", country="JP", channel="GCM"), Person("us")]
    await desk.put(app_id, [away, *map(endpoint, people)])
    unsaved = _in("JP")
    unsaved.name = ""  # a draft has no name yet
    answer = await desk.stub.EstimateSegment(
        pb.EstimateSegmentRequest(application_id=app_id, definition=unsaved)
    )
    assert (answer.total_count, answer.eligible_count) == (3, 2)
    assert {(c.channel_type, c.total_count) for c in answer.channels} == {
        (channel_pb2.CHANNEL_TYPE_EMAIL, 2),
        (channel_pb2.CHANNEL_TYPE_GCM, 1),
    }
    assert answer.HasField("estimate_time")
    listed = await desk.stub.ListSegments(pb.ListSegmentsRequest(application_id=app_id))
    assert not listed.segments


async def test_estimate_names_what_is_wrong(desk: Desk, app_id: str) -> None:
    wrong = _in("")
    request = pb.EstimateSegmentRequest(application_id=app_id, definition=wrong)
    with pytest.raises(aio.AioRpcError) as caught:
        await desk.stub.EstimateSegment(request)
    assert refusal(caught.value).fields == {"definition.dimensions.location.country.values[0]"}
    for request, field in (
        (pb.EstimateSegmentRequest(application_id=app_id), "target"),
        (
            pb.EstimateSegmentRequest(
                application_id=app_id, reference=segment_pb2.SegmentReference()
            ),
            "reference.segment_id",
        ),
    ):
        with pytest.raises(aio.AioRpcError) as caught:
            await desk.stub.EstimateSegment(request)
        assert refusal(caught.value).fields == {field}


async def test_membership_is_explained(desk: Desk, app_id: str) -> None:
    await desk.put(app_id, [endpoint(Person("us", country="US", metrics={"spend": 120}))])
    made = _segment()
    made.segment_groups.include = segment_pb2.COMBINATION_ALL
    first = made.segment_groups.groups.add().dimensions.add()
    first.location.country.values.append("JP")
    second = made.segment_groups.groups.add().dimensions.add()
    second.metrics["spend"].value = 100
    second.metrics[
        "spend"
    ].comparison_operator = segment_pb2.MetricDimension.COMPARISON_OPERATOR_GREATER_THAN
    stored = await desk.create(app_id, made)
    reference = segment_pb2.SegmentReference(segment_id=stored.segment_id)
    request = pb.ExplainMembershipRequest(
        application_id=app_id, reference=reference, endpoint_id="us"
    )
    told = await desk.stub.ExplainMembership(request)
    assert not told.member
    assert [(f.path, f.description, f.holds, f.seen) for f in told.findings] == [
        ("", "segment Sample (version 1): all of its groups", False, ""),
        ("0", "Location.Country is one of JP", False, "US"),
        ("1", "Metrics.spend > 100", True, "120"),
    ]
    request.endpoint_id = "nobody"
    with pytest.raises(aio.AioRpcError) as caught:
        await desk.stub.ExplainMembership(request)
    assert refusal(caught.value).metadata["id"] == "nobody"


@pytest.mark.parametrize(
    ("timezone", "day"),
    [("", "2026-05-07"), ("Pacific/Auckland", "2026-05-07"), ("Pacific/Honolulu", "2026-05-06")],
)
async def test_today_is_the_projects_own(desk: Desk, timezone: str, day: str) -> None:
    """At 09:30 UTC it is still the day before in Honolulu."""
    app_id = await desk.application(timezone)
    dates = ["2026-05-06", "2026-05-07", "2026-05-08"]
    people = [Person(date, attributes={"Registered": (date,)}) for date in dates]
    await desk.put(app_id, map(endpoint, people))
    made = _segment()
    criterion = made.dimensions.attributes["Registered"]
    criterion.attribute_type = segment_pb2.AttributeDimension.ATTRIBUTE_TYPE_ON
    criterion.values.append("today")
    stored = await desk.create(app_id, made)
    assert await desk.members(app_id, stored.segment_id) == [day]


async def test_dates_before_the_epoch_are_dates_too(desk: Desk, app_id: str) -> None:
    people = [
        Person("old", attributes={"Born": ("1969-12-31",)}),
        Person("young", attributes={"Born": ("1970-01-01T00:00:00Z",)}),
    ]
    await desk.put(app_id, map(endpoint, people))
    made = _segment()
    criterion = made.dimensions.attributes["Born"]
    criterion.attribute_type = segment_pb2.AttributeDimension.ATTRIBUTE_TYPE_BEFORE
    criterion.values.append("1970-01-01")
    stored = await desk.create(app_id, made)
    assert await desk.members(app_id, stored.segment_id) == ["old"]


async def test_compiled_filter_is_absolute(desk: Desk, app_id: str) -> None:
    made = _segment()
    made.dimensions.behavior.recency.duration = segment_pb2.RecencyDimension.DURATION_DAY_7
    made.dimensions.behavior.recency.recency_type = (
        segment_pb2.RecencyDimension.RECENCY_TYPE_INACTIVE
    )
    stored = await desk.create(app_id, made)
    reference = segment_pb2.SegmentReference(segment_id=stored.segment_id)
    answer = await desk.stub.CompileSegment(
        pb.CompileSegmentRequest(application_id=app_id, reference=reference)
    )
    assert from_timestamp(answer.evaluation_time) == NOW
    assert answer.version == 1
    since = from_timestamp(answer.filter.activity.since_time)
    assert since is not None
    assert (NOW - since).days == 7
    assert not answer.filter.activity.active
