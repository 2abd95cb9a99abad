"""Segments created, changed, listed and deleted over real RPCs."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from grpc import aio
from touchpoint.applications.v1 import applications_service_pb2 as applications_pb
from touchpoint.applications.v1 import applications_service_pb2_grpc as applications_rpc
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import events_pb2 as endpoints_events
from touchpoint.endpoints.v1 import import_service_pb2
from touchpoint.segmentation.v1 import events_pb2, segment_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2 as pb

from libs.bus.connection import connect, declare_queue
from libs.bus.publisher import Publisher, outgoing
from libs.bus.topology import CAMPAIGNS_SEGMENTS, EVENTS
from libs.mongo.client import new_client
from services.segmentation.domain.segment import Group, Groups, Reference, Segment
from services.segmentation.store.documents import document_id
from services.segmentation.store.segments import SegmentStore
from tests.integration.segmentation.conftest import Desk
from tests.integration.segmentation.waiting import eventually
from tests.support.running import refusal
from tests.support.segment_meaning import NOW


def named(name: str, country: str = "JP") -> segment_pb2.Segment:
    segment = segment_pb2.Segment(name=name, tags={"team": "crm"})
    segment.dimensions.location.country.values.append(country)
    return segment


def on(*segment_ids: str, version: int = 0) -> segment_pb2.Segment:
    """A segment based on others."""
    segment = segment_pb2.Segment(name="Based")
    group = segment.segment_groups.groups.add()
    for segment_id in segment_ids:
        group.source_segments.add(segment_id=segment_id, version=version)
    return segment


async def update(
    desk: Desk, app_id: str, segment_id: str, segment: segment_pb2.Segment
) -> segment_pb2.Segment:
    request = pb.UpdateSegmentRequest(application_id=app_id, segment_id=segment_id, segment=segment)
    answer: pb.UpdateSegmentResponse = await desk.stub.UpdateSegment(request)
    return answer.segment


async def get(desk: Desk, app_id: str, segment_id: str, version: int = 0) -> segment_pb2.Segment:
    request = pb.GetSegmentRequest(application_id=app_id, segment_id=segment_id, version=version)
    answer: pb.GetSegmentResponse = await desk.stub.GetSegment(request)
    return answer.segment


async def refused(call: Any) -> Any:
    with pytest.raises(aio.AioRpcError) as caught:
        await call
    return refusal(caught.value)


async def compiled(desk: Desk, app_id: str, segment_id: str, version: int = 0) -> Any:
    reference = segment_pb2.SegmentReference(segment_id=segment_id, version=version)
    request = pb.CompileSegmentRequest(application_id=app_id, reference=reference)
    return await desk.stub.CompileSegment(request)


def full() -> segment_pb2.Segment:
    """A segment that uses every field of the contract."""
    segment = segment_pb2.Segment(name="Full", tags={"a.b": "$c"})
    segment.segment_groups.include = segment_pb2.COMBINATION_ANY
    group = segment.segment_groups.groups.add(
        type=segment_pb2.COMBINATION_NONE, source_type=segment_pb2.COMBINATION_ANY
    )
    given = group.dimensions.add()
    attribute = segment_pb2.AttributeDimension
    for name in ("a.b", "$x", "Größe"):
        given.attributes[name].CopyFrom(
            attribute(attribute_type=attribute.ATTRIBUTE_TYPE_CONTAINS, values=["x", "y"])
        )
    given.user_attributes["Due"].CopyFrom(
        attribute(attribute_type=attribute.ATTRIBUTE_TYPE_BETWEEN, values=["now", "now+7d"])
    )
    metric = segment_pb2.MetricDimension
    given.metrics["l.t.v"].CopyFrom(
        metric(comparison_operator=metric.COMPARISON_OPERATOR_LESS_THAN, value=-1.5)
    )
    facts = segment_pb2.SetDimension
    for name in ("app_version", "channel", "device_type", "make", "model", "platform"):
        getattr(given.demographic, name).CopyFrom(
            facts(dimension_type=facts.DIMENSION_TYPE_EXCLUSIVE, values=["SMS"])
        )
    given.location.country.CopyFrom(
        facts(dimension_type=facts.DIMENSION_TYPE_INCLUSIVE, values=["JP", "KR"])
    )
    given.location.gps_point.CopyFrom(
        segment_pb2.GPSPointDimension(latitude=52.5, longitude=-13.4, range_in_kilometers=0.5)
    )
    recency = segment_pb2.RecencyDimension
    given.behavior.recency.CopyFrom(
        recency(duration=recency.DURATION_HR_24, recency_type=recency.RECENCY_TYPE_ACTIVE)
    )
    return segment


async def test_every_field_comes_back_as_it_was_sent(desk: Desk, app_id: str) -> None:
    sent = full()
    made = await desk.create(app_id, sent)
    assert len(made.segment_id) == 32
    assert (made.version, made.segment_type) == (1, segment_pb2.SEGMENT_TYPE_DIMENSIONAL)
    assert made.creation_date.ToDatetime(tzinfo=NOW.tzinfo) == NOW
    assert made.application_id == app_id
    assert made.segment_groups == sent.segment_groups
    assert made.tags == sent.tags
    assert await get(desk, app_id, made.segment_id) == made
    assert await get(desk, app_id, made.segment_id, version=1) == made


async def test_each_update_is_a_version_that_stays(desk: Desk, app_id: str) -> None:
    first = await desk.create(app_id, named("One", "JP"))
    changed = named("Two", "US")
    changed.tags["team"] = "ignored in updates"
    second = await update(desk, app_id, first.segment_id, changed)
    third = await update(desk, app_id, first.segment_id, named("Three", "DE"))
    assert [s.version for s in (first, second, third)] == [1, 2, 3]
    assert second.tags == {"team": "crm"}
    assert await get(desk, app_id, first.segment_id) == third
    assert await get(desk, app_id, first.segment_id, version=1) == first
    assert await get(desk, app_id, first.segment_id, version=2) == second
    told = await refused(get(desk, app_id, first.segment_id, version=4))
    assert told.reason == "RESOURCE_NOT_FOUND"
    seen: list[int] = []
    token = ""
    while True:
        request = pb.ListSegmentVersionsRequest(
            application_id=app_id, segment_id=first.segment_id, page_size=2, page_token=token
        )
        page = await desk.stub.ListSegmentVersions(request)
        seen += [segment.version for segment in page.segments]
        token = page.next_page_token
        if not token:
            break
    assert seen == [3, 2, 1]
    for version, country in ((0, "DE"), (1, "JP"), (2, "US")):
        answer = await compiled(desk, app_id, first.segment_id, version)
        assert answer.version == (version or 3)
        assert list(answer.filter.text.values) == [country]


async def test_a_pinned_base_stays_and_an_unpinned_one_moves(desk: Desk, app_id: str) -> None:
    base = await desk.create(app_id, named("Base", "JP"))
    pinned = await desk.create(app_id, on(base.segment_id, version=1))
    moving = await desk.create(app_id, on(base.segment_id))
    await update(desk, app_id, base.segment_id, named("Base", "US"))
    for segment, country in ((pinned, "JP"), (moving, "US")):
        answer = await compiled(desk, app_id, segment.segment_id)
        assert list(answer.filter.text.values) == [country]


async def test_a_lost_race_is_told(desk: Desk, app_id: str) -> None:
    made = await desk.create(app_id, named("Race"))
    calls = [update(desk, app_id, made.segment_id, named(f"Race {n}")) for n in range(8)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    won = [a for a in answers if isinstance(a, segment_pb2.Segment)]
    lost = [a for a in answers if isinstance(a, aio.AioRpcError)]
    assert len(won) + len(lost) == 8
    assert {refusal(a).reason for a in lost} <= {"VERSION_CONFLICT"}
    assert sorted(segment.version for segment in won) == list(range(2, len(won) + 2))
    for segment in won:
        assert await get(desk, app_id, made.segment_id, segment.version) == segment


async def test_pages_hold_every_segment_once_newest_first(desk: Desk, app_id: str) -> None:
    made = [await desk.create(app_id, named(f"{'ab'[n % 2]}.{n}")) for n in range(7)]
    for prefix, expected in (
        ("", {s.segment_id for s in made}),
        ("a.", {s.segment_id for s in made[::2]}),
        ("A", set()),
        (".*", set()),
    ):
        seen: list[str] = []
        token = ""
        while True:
            request = pb.ListSegmentsRequest(
                application_id=app_id, page_size=2, page_token=token, name_prefix=prefix
            )
            page = await desk.stub.ListSegments(request)
            assert len(page.segments) <= 2
            seen += [segment.segment_id for segment in page.segments]
            token = page.next_page_token
            if not token:
                break
        assert set(seen) == expected
        assert seen == sorted(seen, reverse=True)  # one moment, so the ids decide
    first = await desk.stub.ListSegments(pb.ListSegmentsRequest(application_id=app_id, page_size=2))
    foreign = pb.ListSegmentsRequest(
        application_id=app_id, page_size=2, page_token=first.next_page_token, name_prefix="a."
    )
    assert (await refused(desk.stub.ListSegments(foreign))).reason == "PAGE_TOKEN_INVALID"
    large = pb.ListSegmentsRequest(application_id=app_id, page_size=1001)
    assert (await refused(desk.stub.ListSegments(large))).fields == {"page_size"}


async def test_validate_only_checks_and_stores_nothing(desk: Desk, app_id: str) -> None:
    request = pb.CreateSegmentRequest(
        application_id=app_id, segment=named("Draft"), validate_only=True
    )
    answer = await desk.stub.CreateSegment(request)
    assert (answer.segment.segment_id, answer.segment.version) == ("", 1)
    request.segment.name = ""
    assert (await refused(desk.stub.CreateSegment(request))).fields == {"segment.name"}
    listed = await desk.stub.ListSegments(pb.ListSegmentsRequest(application_id=app_id))
    assert not listed.segments


async def test_every_bad_field_is_named_and_nothing_changes(desk: Desk, app_id: str) -> None:
    bad = segment_pb2.Segment(name=" ", tags={"aws:x": ""})
    bad.dimensions.metrics["ltv"].value = 1
    bad.dimensions.behavior.recency.SetInParent()
    bad.segment_groups.groups.add(type=9).source_segments.add(segment_id="nowhere")
    bad.segment_groups.groups[0].dimensions.add().attributes["Tier"].values.extend(["x", ""])
    expected = {
        "segment",
        "segment.name",
        "segment.tags[aws:x]",
        "segment.dimensions.metrics[ltv].comparison_operator",
        "segment.dimensions.behavior.recency.duration",
        "segment.dimensions.behavior.recency.recency_type",
        "segment.segment_groups.groups[0].type",
        "segment.segment_groups.groups[0].dimensions[0].attributes[Tier].values[1]",
        "segment.segment_groups.groups[0].source_segments[0].segment_id",
    }
    told = await refused(desk.create(app_id, bad))
    assert (told.code, told.fields) == ("INVALID_ARGUMENT", expected)
    made = await desk.create(app_id, named("Good"))
    told = await refused(update(desk, app_id, made.segment_id, bad))
    assert told.fields == expected - {"segment.tags[aws:x]"}
    assert await get(desk, app_id, made.segment_id) == made
    assert (await refused(desk.create("", named("Nowhere")))).fields == {"application_id"}


async def test_circles_and_depth_are_refused(desk: Desk, app_id: str) -> None:
    bottom = await desk.create(app_id, named("Bottom"))
    chain = [bottom]
    for _ in range(9):
        chain.append(await desk.create(app_id, on(chain[-1].segment_id)))
    told = await refused(desk.create(app_id, on(chain[-1].segment_id)))
    assert (told.code, told.reason) == ("INVALID_ARGUMENT", "SEGMENT_CYCLE")
    for base in (chain[0], chain[1], chain[9]):
        told = await refused(update(desk, app_id, bottom.segment_id, on(base.segment_id)))
        assert told.reason == "SEGMENT_CYCLE"
        assert told.metadata["segment_id"]
    assert (await get(desk, app_id, bottom.segment_id)).version == 1
    assert (await compiled(desk, app_id, chain[9].segment_id)).filter.HasField("text")


async def test_more_segments_than_one_question_holds_are_refused(
    desk: Desk, app_id: str, mongo_uri: str, database_prefix: str
) -> None:
    told = await refused(desk.create(app_id, on(*["x"] * 1001)))
    assert told.fields == {"segment.segment_groups"}
    client = new_client(mongo_uri, "tests")
    store = SegmentStore(client.get_database(f"{database_prefix}segmentation"))
    plain = Segment(app_id, "plain", "Plain", 1, NOW, NOW)
    sources = [tuple(Reference(f"s{half}.{n}") for n in range(501)) for half in range(2)]
    for half, below in enumerate(sources):
        groups = Groups("ANY", (Group(sources=below),))
        await store.add(replace(plain, segment_id=f"half{half}", groups=groups))
        adds = [store.add(replace(plain, segment_id=one.segment_id)) for one in below]
        await asyncio.gather(*adds)
    client.close()
    assert (await desk.create(app_id, on("half0"))).version == 1
    told = await refused(desk.create(app_id, on("half0", "half1")))
    assert told.fields == {"segment"}


async def test_a_segment_on_a_deleted_one_has_no_members(desk: Desk, app_id: str) -> None:
    base = await desk.create(app_id, named("Base"))
    above = await desk.create(app_id, on(base.segment_id))
    request = pb.DeleteSegmentRequest(application_id=app_id, segment_id=base.segment_id)
    await desk.stub.DeleteSegment(request)
    told = await refused(compiled(desk, app_id, above.segment_id))
    assert (told.code, told.metadata["id"]) == ("NOT_FOUND", base.segment_id)


async def test_deletion_takes_all_versions_and_is_announced(
    desk: Desk, app_id: str, amqp_url: str
) -> None:
    connection = await connect(amqp_url, "tests")
    async with connection:
        channel = await connection.channel()
        declared = await declare_queue(channel, CAMPAIGNS_SEGMENTS)
        await declared.purge()
        made = await desk.create(app_id, named("Gone"))
        latest = await update(desk, app_id, made.segment_id, named("Gone soon"))
        request = pb.DeleteSegmentRequest(application_id=app_id, segment_id=made.segment_id)
        answer = await desk.stub.DeleteSegment(request)
        assert answer.segment == latest
        message = await declared.get(timeout=5, fail=True)
        assert message is not None
        event = events_pb2.SegmentDeleted.FromString(message.body)
        await message.ack()
    assert (event.application_id, event.segment_id) == (app_id, made.segment_id)
    for version in (0, 1, 2):
        told = await refused(get(desk, app_id, made.segment_id, version))
        assert told.code == "NOT_FOUND"
    assert (await refused(desk.stub.DeleteSegment(request))).code == "NOT_FOUND"


def imported(app_id: str, segment_id: str, job_id: str = "job", size: int = 3) -> Any:
    event = endpoints_events.SegmentImported(
        application_id=app_id,
        segment_id=segment_id,
        segment_name="Fair visitors",
        job_id=job_id,
        format=import_service_pb2.IMPORT_FORMAT_JSON,
        source_url="https://files.example.com/fair.json",
        size=size,
    )
    event.channel_counts.add(channel_type=channel_pb2.CHANNEL_TYPE_SMS, count=size)
    event.import_time.FromDatetime(NOW)
    return event


async def publish(amqp_url: str, *events: Any) -> None:
    publisher = Publisher(amqp_url, EVENTS, "tests")
    key = "endpoints.segment_imported"
    await publisher.publish([outgoing(key, event, event.job_id) for event in events])
    await publisher.close()


async def test_an_import_becomes_a_segment_that_cannot_be_changed(
    desk: Desk, app_id: str, amqp_url: str
) -> None:
    await publish(amqp_url, *[imported(app_id, "fair")] * 3)
    segment = await eventually(lambda: get(desk, app_id, "fair"))
    assert segment.segment_type == segment_pb2.SEGMENT_TYPE_IMPORT
    assert (segment.name, segment.version) == ("Fair visitors", 1)
    facts = segment.import_definition
    assert (facts.size, facts.job_id) == (3, "job")
    assert facts.format == import_service_pb2.IMPORT_FORMAT_JSON
    assert facts.source_url == "https://files.example.com/fair.json"
    assert [(c.channel_type, c.count) for c in facts.channel_counts] == [
        (channel_pb2.CHANNEL_TYPE_SMS, 3)
    ]
    told = await refused(update(desk, app_id, "fair", named("Changed")))
    assert (told.code, told.reason) == ("FAILED_PRECONDITION", "STATE_CONFLICT")
    assert (await compiled(desk, app_id, "fair")).filter.imported.segment_id == "fair"
    listed = await desk.stub.ListSegments(pb.ListSegmentsRequest(application_id=app_id))
    assert [s.segment_id for s in listed.segments] == ["fair"]


async def test_an_import_id_belongs_to_its_application(
    desk: Desk, app_id: str, amqp_url: str
) -> None:
    other = await desk.application()
    await publish(amqp_url, imported(app_id, "same", size=1), imported(other, "same", size=2))
    for owner, size in ((app_id, 1), (other, 2)):
        segment = await eventually(partial(get, desk, owner, "same"))
        assert segment.import_definition.size == size


async def test_a_later_import_refreshes_the_facts_and_an_earlier_one_does_not(
    desk: Desk, app_id: str, amqp_url: str
) -> None:
    later, earlier = imported(app_id, "twice", "later", 9), imported(app_id, "twice", "earlier", 1)
    later.import_time.FromDatetime(NOW + timedelta(hours=1))
    await publish(amqp_url, imported(app_id, "twice"))
    await eventually(lambda: get(desk, app_id, "twice"))
    await publish(amqp_url, later)
    await publish(amqp_url, earlier)
    await publish(amqp_url, imported(app_id, "after"))
    await eventually(lambda: get(desk, app_id, "after"))
    segment = await get(desk, app_id, "twice")
    assert (segment.import_definition.size, segment.version) == (9, 1)


async def test_an_import_never_replaces_a_dimensional_segment(
    desk: Desk, app_id: str, amqp_url: str
) -> None:
    made = await desk.create(app_id, named("Mine"))
    clash = imported(app_id, made.segment_id)
    clash.import_time.FromDatetime(NOW + timedelta(hours=1))
    await publish(amqp_url, clash)
    await publish(amqp_url, imported(app_id, "marker"))
    await eventually(lambda: get(desk, app_id, "marker"))
    assert await get(desk, app_id, made.segment_id) == made


async def test_imported_bases_stand_alone(desk: Desk, app_id: str, amqp_url: str) -> None:
    await publish(amqp_url, imported(app_id, "list"))
    await eventually(lambda: get(desk, app_id, "list"))
    base = await desk.create(app_id, named("Base"))
    await desk.create(app_id, on("list"))
    told = await refused(desk.create(app_id, on("list", base.segment_id)))
    assert told.fields == {"segment.segment_groups.groups[0].source_segments"}
    two = on("list")
    two.segment_groups.groups.add()
    told = await refused(desk.create(app_id, two))
    assert told.fields == {"segment.segment_groups.groups"}


async def test_a_deleted_application_leaves_nothing(
    desk: Desk, mongo_uri: str, database_prefix: str
) -> None:
    app_id, other = await desk.application(), await desk.application()
    made = await desk.create(app_id, named("Gone"))
    await update(desk, app_id, made.segment_id, named("Gone, too"))
    kept = await desk.create(other, named("Kept"))
    stub: Any = applications_rpc.ApplicationsServiceStub(desk.applications.channel)
    await stub.DeleteApplication(applications_pb.DeleteApplicationRequest(application_id=app_id))
    client = new_client(mongo_uri, "tests")
    database = client.get_database(f"{database_prefix}segmentation")
    deadline = asyncio.get_running_loop().time() + 20
    while any([await database[c].count_documents({"app_id": app_id}) for c in _COLLECTIONS]):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)
    client.close()
    assert await get(desk, other, kept.segment_id) == kept


_COLLECTIONS = ("segments", "segment_versions")


async def test_a_crash_between_copy_and_change_loses_and_doubles_nothing(
    desk: Desk, app_id: str, mongo_uri: str, database_prefix: str
) -> None:
    made = await desk.create(app_id, named("Crash"))
    client = new_client(mongo_uri, "tests")
    database = client.get_database(f"{database_prefix}segmentation")
    latest = await database["segments"].find_one({"segment_id": made.segment_id})
    assert latest is not None
    key = document_id(app_id, made.segment_id, "1")
    await database["segment_versions"].insert_one({**latest, "_id": key})
    listed = await desk.stub.ListSegmentVersions(
        pb.ListSegmentVersionsRequest(application_id=app_id, segment_id=made.segment_id)
    )
    assert [segment.version for segment in listed.segments] == [1]
    client.close()
    assert (await update(desk, app_id, made.segment_id, named("Crash 2"))).version == 2
