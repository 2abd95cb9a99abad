"""Domain values as answers."""

from collections.abc import Mapping

from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import audience_service_pb2, import_service_pb2
from touchpoint.segmentation.v1 import segment_pb2 as pb

from libs.timestamps import to_timestamp
from services.segmentation.domain.segment import (
    AttributeDimension,
    Dimensions,
    Group,
    Groups,
    ImportFacts,
    MetricDimension,
    Segment,
    SetDimension,
)


def segment_to_proto(segment: Segment) -> pb.Segment:
    """A version of a segment as the API shows it."""
    kind = pb.SEGMENT_TYPE_IMPORT if segment.imported else pb.SEGMENT_TYPE_DIMENSIONAL
    return pb.Segment(
        segment_id=segment.segment_id,
        application_id=segment.application_id,
        name=segment.name,
        dimensions=_dimensions(segment.dimensions) if segment.dimensions is not None else None,
        segment_groups=_groups(segment.groups) if segment.groups is not None else None,
        segment_type=kind,
        version=segment.version,
        creation_date=to_timestamp(segment.creation_date),
        last_modified_date=to_timestamp(segment.last_modified_date),
        import_definition=_import(segment.imported) if segment.imported else None,
        tags=segment.tags,
    )


def channel_estimates(by_channel: Mapping[str, int]) -> list[pb.SegmentChannelEstimate]:
    """Members by channel."""
    return [
        pb.SegmentChannelEstimate(channel_type=_channel(name), total_count=count)
        for name, count in sorted(by_channel.items())
    ]


def _groups(given: Groups) -> pb.SegmentGroupList:
    return pb.SegmentGroupList(
        include=_combination(given.include), groups=map(_group, given.groups)
    )


def _group(given: Group) -> pb.SegmentGroup:
    return pb.SegmentGroup(
        type=_combination(given.kind),
        source_type=_combination(given.source_kind),
        dimensions=map(_dimensions, given.dimensions),
        source_segments=[
            pb.SegmentReference(segment_id=one.segment_id, version=one.version)
            for one in given.sources
        ],
    )


def _dimensions(given: Dimensions) -> pb.SegmentDimensions:
    encoded = pb.SegmentDimensions(
        attributes={name: _attribute(one) for name, one in given.attributes.items()},
        user_attributes={name: _attribute(one) for name, one in given.user_attributes.items()},
        metrics={name: _metric(one) for name, one in given.metrics.items()},
    )
    for name, fact in given.demographic.items():
        getattr(encoded.demographic, name).CopyFrom(_set(fact))
    if given.country is not None:
        encoded.location.country.CopyFrom(_set(given.country))
    if (point := given.gps_point) is not None:
        encoded.location.gps_point.latitude = point.latitude
        encoded.location.gps_point.longitude = point.longitude
        encoded.location.gps_point.range_in_kilometers = point.range_km
    if (recency := given.recency) is not None:
        dimension = pb.RecencyDimension
        encoded.behavior.recency.duration = dimension.Duration.Value(f"DURATION_{recency.duration}")
        kind = dimension.RecencyType.Value(f"RECENCY_TYPE_{recency.kind}")
        encoded.behavior.recency.recency_type = kind
    return encoded


def _attribute(given: AttributeDimension) -> pb.AttributeDimension:
    kind = pb.AttributeDimension.AttributeType.Value(f"ATTRIBUTE_TYPE_{given.operator}")
    return pb.AttributeDimension(attribute_type=kind, values=given.values)


def _set(given: SetDimension) -> pb.SetDimension:
    kind = pb.SetDimension.DimensionType.Value(f"DIMENSION_TYPE_{given.operator}")
    return pb.SetDimension(dimension_type=kind, values=given.values)


def _metric(given: MetricDimension) -> pb.MetricDimension:
    kind = pb.MetricDimension.ComparisonOperator.Value(f"COMPARISON_OPERATOR_{given.operator}")
    return pb.MetricDimension(comparison_operator=kind, value=given.value)


def _import(given: ImportFacts) -> pb.SegmentImportDefinition:
    file_format = import_service_pb2.ImportFormat.Value(f"IMPORT_FORMAT_{given.file_format}")
    return pb.SegmentImportDefinition(
        size=given.size,
        channel_counts=[
            audience_service_pb2.ChannelCount(channel_type=_channel(name), count=count)
            for name, count in sorted(given.channel_counts.items())
        ],
        format=file_format,
        source_url=given.source_url,
        job_id=given.job_id,
    )


def _combination(name: str) -> pb.Combination.ValueType:
    return pb.Combination.Value(f"COMBINATION_{name}")


def _channel(name: str) -> channel_pb2.ChannelType.ValueType:
    return channel_pb2.ChannelType.Value(f"CHANNEL_TYPE_{name}")
