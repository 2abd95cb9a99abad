"""How segments build on each other: circles, depth, size; and explanations in words."""

from typing import Any

import pytest
from touchpoint.endpoints.v1 import audience_service_pb2, endpoint_filter_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2

from libs.errors import InvalidFields, SegmentCycle
from services.segmentation.clients.filters import filter_to_proto
from services.segmentation.domain import filters
from services.segmentation.domain.compilation import compiled
from services.segmentation.domain.dates import Moment
from services.segmentation.domain.explanation import Explanation, Finding, reworded
from services.segmentation.domain.filters import EVERYBODY, NOBODY, nodes, simplified, size
from services.segmentation.domain.segment import (
    AttributeDimension,
    Dimensions,
    GPSPoint,
    Group,
    Groups,
    ImportFacts,
    MetricDimension,
    Recency,
    Reference,
    Segment,
    SetDimension,
)
from services.segmentation.domain.sources import check_nesting, small_enough
from tests.support.segment_meaning import APP, NOW

MOMENT = Moment(NOW)


def based_on(segment_id: str, *sources: Reference, version: int = 1) -> Segment:
    groups = Groups("ALL", (Group(sources=sources),)) if sources else None
    return Segment(APP, segment_id, segment_id, version, NOW, NOW, groups=groups)


def chain(length: int) -> tuple[Segment, dict[Reference, Segment]]:
    """A segment over `length` - 1 others in a row."""
    library = {
        Reference(f"s{n}"): based_on(f"s{n}", *([Reference(f"s{n + 1}")] if n < length - 1 else []))
        for n in range(1, length)
    }
    return based_on("s0", *([Reference("s1")] if length > 1 else [])), library


def test_ten_levels_are_fine_and_eleven_are_not() -> None:
    check_nesting(*chain(1))
    check_nesting(*chain(10))
    with pytest.raises(SegmentCycle) as caught:
        check_nesting(*chain(11))
    assert caught.value.metadata == {"segment_id": "s0"}


def test_the_longest_way_counts_not_the_shortest() -> None:
    top, library = chain(10)
    shortcut = based_on("top", Reference("s9"), Reference("s1"))
    check_nesting(shortcut, library)  # 1 + 9
    deeper = based_on("top", Reference("s9"), Reference("s0"))
    with pytest.raises(SegmentCycle):
        check_nesting(deeper, {**library, Reference("s0"): top})


@pytest.mark.parametrize(
    ("top", "library"),
    [
        (based_on("a", Reference("a")), {Reference("a"): based_on("a")}),
        (
            based_on("a", Reference("b")),
            {
                Reference("b"): based_on("b", Reference("a")),
                Reference("a"): based_on("a", Reference("b")),
            },
        ),
        # Not stored yet, on two that go round by themselves.
        (
            based_on("", Reference("b")),
            {
                Reference("b"): based_on("b", Reference("c")),
                Reference("c"): based_on("c", Reference("b")),
            },
        ),
        # Through an older version of itself.
        (based_on("a", Reference("a", 1), version=2), {Reference("a", 1): based_on("a")}),
        (
            based_on("", Reference("b")),
            {
                Reference("b"): based_on("b", Reference("c"), version=2),
                Reference("c"): based_on("c", Reference("b", 1)),
                Reference("b", 1): based_on("b"),
            },
        ),
    ],
    ids=["itself", "two", "below", "older", "older below"],
)
def test_circles_are_refused(top: Segment, library: dict[Reference, Segment]) -> None:
    with pytest.raises(SegmentCycle) as caught:
        check_nesting(top, library)
    assert caught.value.metadata["segment_id"] in {"a", "b", "c"}


def test_a_diamond_is_no_circle() -> None:
    library = {
        Reference("b"): based_on("b", Reference("d")),
        Reference("c"): based_on("c", Reference("d")),
        Reference("d"): based_on("d"),
    }
    check_nesting(based_on("a", Reference("b"), Reference("c")), library)


def doubling(levels: int) -> filters.Filter:
    """Each level asks the one below twice: 2^levels tests, though only `levels` objects."""
    tree: filters.Filter = filters.Imported("i")
    for number in range(levels):
        kind = "ALL" if number % 2 else "ANY"
        tree = filters.Group(kind, (filters.Group("NONE", (tree,)), filters.Group("NONE", (tree,))))
    return tree


def test_a_question_that_grows_beyond_bounds_is_refused_unexpanded() -> None:
    with pytest.raises(InvalidFields) as caught:
        small_enough(doubling(200), "reference")
    assert [v.field for v in caught.value.violations] == ["reference"]
    with pytest.raises(InvalidFields):
        small_enough(filters.Group("ANY", (filters.Imported("i"),) * 5000), "reference")
    fits = filters.Group("ANY", (filters.Imported("i"),) * 4999)
    assert size(small_enough(fits, "reference")) == 5000


def test_deepest_segment_fits_into_the_depth_of_a_question() -> None:
    """The endpoints service takes 40 levels."""
    criteria = Dimensions(attributes={"D": AttributeDimension("ON", ("2026-05-07", "2026-05-08"))})
    library: dict[Reference, Segment] = {}
    for number in range(10):
        below = (Reference(f"s{number - 1}"),) if number else ()
        one = Group("NONE", "NONE", (criteria, Dimensions()), below)
        groups = Groups("NONE", (one, one))
        library[Reference(f"s{number}")] = Segment(
            APP, f"s{number}", "n", 1, NOW, NOW, groups=groups
        )
    asked = compiled(library[Reference("s9")], library, MOMENT)
    assert max(path.count(".") + 1 for path, _ in nodes(asked) if path) <= 40


def test_every_node_is_encoded() -> None:
    at = NOW
    tree = filters.Group(
        "ALL",
        (
            filters.Text("COUNTRY", "", "NOT_IN", ("JP", "US")),
            filters.Instant("USER_ATTRIBUTE", "Seen", start=at, start_inclusive=True),
            filters.Instant("ATTRIBUTE", "Seen", end=at, end_inclusive=True),
            filters.Version("APP_VERSION", "", "LESS_THAN", "2.0"),
            filters.Number("ltv", "GREATER_THAN", 10000),
            filters.Distance(52.5, 13.4, 10),
            filters.Activity(active=False, since=at),
            filters.Imported("i"),
            filters.Channel(included=True, channel_types=("PUSH", "SMS")),
            filters.Group("NONE", (filters.Group("ANY"),)),
        ),
    )
    pb = endpoint_filter_pb2
    told: list[Any] = list(filter_to_proto(tree).all_of.filters)
    assert [part.WhichOneof("node") for part in told] == [
        "text",
        "instant",
        "instant",
        "version",
        "number",
        "distance",
        "activity",
        "imported",
        "channel",
        "none_of",
    ]
    assert told[0].text.operator == pb.TextTest.OPERATOR_NOT_IN
    assert list(told[0].text.values) == ["JP", "US"]
    assert told[1].instant.start_time.ToDatetime(tzinfo=at.tzinfo) == at
    assert (told[1].instant.start_inclusive, told[1].instant.end_inclusive) == (True, False)
    assert not told[1].instant.HasField("end_time")
    assert not told[2].instant.HasField("start_time")
    assert told[3].version.comparison == pb.COMPARISON_LESS_THAN
    assert (told[4].number.name, told[4].number.value) == ("ltv", 10000)
    assert told[5].distance.range_in_kilometers == 10
    assert not told[6].activity.active
    assert told[6].activity.since_time.ToDatetime(tzinfo=at.tzinfo) == at
    assert told[8].channel.included
    assert [part.WhichOneof("node") for part in told[9].none_of.filters] == ["any_of"]
    assert filter_to_proto(EVERYBODY) == pb.EndpointFilter()
    assert filter_to_proto(NOBODY).WhichOneof("node") == "any_of"


def test_streamed_batches_may_be_passed_on_as_bytes() -> None:
    """The servicer relies on it: both messages have the same fields under the same numbers."""
    theirs: Any = audience_service_pb2.StreamAudienceResponse.DESCRIPTOR
    ours: Any = segmentation_service_pb2.StreamSegmentMembersResponse.DESCRIPTOR

    def shape(descriptor: Any) -> set[tuple[Any, ...]]:
        return {
            (f.name, f.number, f.type, f.is_repeated, f.message_type and f.message_type.full_name)
            for f in descriptor.fields
        }

    assert shape(theirs) == shape(ours)


def test_explanations_use_the_words_of_the_criteria() -> None:
    dimensions = Dimensions(
        attributes={"Due": AttributeDimension("BETWEEN", ("now", "2026-06-01"))},
        user_attributes={"Tier": AttributeDimension("CONTAINS", ("gold", "vip"))},
        metrics={"ltv": MetricDimension("GREATER_THAN", 10000.01)},
        demographic={"app_version": SetDimension("VERSION_GTE", ("2.0",))},
        country=SetDimension("EXCLUSIVE", ("JP",)),
        gps_point=GPSPoint(52.5, 13.4, 10),
        recency=Recency("DAY_30", "INACTIVE"),
    )
    reference = Reference("vip")
    vip = Segment(APP, "vip", "VIP", 3, NOW, NOW, dimensions=dimensions)
    listed = Segment(
        APP, "list", "Fair", 1, NOW, NOW, imported=ImportFacts(1, {}, "CSV", "", "job")
    )
    groups = Groups("ANY", (Group(sources=(reference,)), Group(sources=(Reference("list"),))))
    top = Segment(APP, "top", "Top", 2, NOW, NOW, groups=groups)
    asked = simplified(compiled(top, {reference: vip, Reference("list"): listed}, MOMENT))
    found = [Finding(path, "plain", holds=True, seen="x") for path, _ in nodes(asked)]
    told = reworded(Explanation(admitted=True, findings=found), asked).findings
    assert [one.description for one in told] == [
        "segment Top (version 2): any of its groups",
        "segment VIP (version 3): all of its criteria",
        "Attributes.Due is between now (2026-05-07T09:30:00Z) and 2026-06-01",
        "UserAttributes.Tier contains one of gold, vip",
        "Metrics.ltv > 10000.01",
        "Demographic.AppVersion >= version 2.0",
        "Location.Country is none of JP",
        "Location is within 10 km of 52.5, 13.4",
        "not active in the last 30 days",
        "imported segment Fair",
    ]
    assert {one.seen for one in told} == {"x"}


def test_words_of_the_endpoints_service_stay_where_we_have_none() -> None:
    found = [Finding("", "all of these hold", holds=True, seen="")]
    assert reworded(Explanation(admitted=True, findings=found), EVERYBODY).findings == tuple(found)
