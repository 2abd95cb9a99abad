"""Filters as EndpointFilter messages."""

from typing import Final

from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_filter_pb2 as pb

from libs.timestamps import to_timestamp
from services.segmentation.domain import filters
from services.segmentation.domain.filters import Filter

_GROUPS: Final = {"ALL": "all_of", "ANY": "any_of", "NONE": "none_of"}


def filter_to_proto(node: Filter) -> pb.EndpointFilter:
    """The filter as the endpoints service reads it; everybody is the filter without a node."""
    if node == filters.EVERYBODY:
        return pb.EndpointFilter()
    encoded = pb.EndpointFilter()
    _fill(encoded, node)
    return encoded


def _fill(target: pb.EndpointFilter, node: Filter) -> None:
    match node:
        case filters.Group():
            group: pb.FilterGroup = getattr(target, _GROUPS[node.kind])
            group.SetInParent()  # a group without parts is a node, too
            for part in node.filters:
                _fill(group.filters.add(), part)
        case filters.Text():
            target.text.CopyFrom(_text(node))
        case filters.Instant():
            target.instant.CopyFrom(_instant(node))
        case filters.Version():
            target.version.CopyFrom(_version(node))
        case _:
            _fill_fact(target, node)


def _fill_fact(target: pb.EndpointFilter, node: Filter) -> None:
    match node:
        case filters.Number(name, comparison, value):
            test = pb.NumberTest(name=name, comparison=_comparison(comparison), value=value)
            target.number.CopyFrom(test)
        case filters.Distance(latitude, longitude, range_km):
            target.distance.latitude, target.distance.longitude = latitude, longitude
            target.distance.range_in_kilometers = range_km
        case filters.Activity(active, since):
            activity = pb.ActivityTest(active=active, since_time=to_timestamp(since))
            target.activity.CopyFrom(activity)
        case filters.Imported(segment_id):
            target.imported.segment_id = segment_id
        case filters.Channel(included, channel_types):
            named = [channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{c}") for c in channel_types]
            target.channel.CopyFrom(pb.ChannelTest(included=included, channel_types=named))
        case _:
            raise AssertionError(node)


def _text(node: filters.Text) -> pb.TextTest:
    return pb.TextTest(
        field=_field(node.field),
        name=node.name,
        operator=pb.TextTest.Operator.Value(f"OPERATOR_{node.operator}"),
        values=node.values,
    )


def _instant(node: filters.Instant) -> pb.InstantTest:
    return pb.InstantTest(
        field=_field(node.field),
        name=node.name,
        start_time=to_timestamp(node.start),
        end_time=to_timestamp(node.end),
        start_inclusive=node.start_inclusive,
        end_inclusive=node.end_inclusive,
    )


def _version(node: filters.Version) -> pb.VersionTest:
    return pb.VersionTest(
        field=_field(node.field),
        name=node.name,
        comparison=_comparison(node.comparison),
        version=node.version,
    )


def _field(name: str) -> pb.FilterField.ValueType:
    return pb.FilterField.Value(f"FILTER_FIELD_{name}")


def _comparison(name: str) -> pb.Comparison.ValueType:
    return pb.Comparison.Value(f"COMPARISON_{name}")
