"""Defines who is meant, counts them, and asks why somebody is in or out."""

from touchpoint.segmentation.v1 import segment_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2 as pb

from examples.shop.platform import Platform

_ANY, _ALL = segment_pb2.COMBINATION_ANY, segment_pb2.COMBINATION_ALL


def definition() -> segment_pb2.Segment:
    """Country = JP and App Version >= 2.0, or spent over 100 and not seen for 7 days."""
    in_japan = segment_pb2.SegmentDimensions(
        location=segment_pb2.SegmentLocation(
            country=segment_pb2.SetDimension(
                dimension_type=segment_pb2.SetDimension.DIMENSION_TYPE_INCLUSIVE, values=["JP"]
            )
        ),
        demographic=segment_pb2.SegmentDemographics(
            app_version=segment_pb2.SetDimension(
                dimension_type=segment_pb2.SetDimension.DIMENSION_TYPE_VERSION_GTE, values=["2.0"]
            )
        ),
    )
    away = segment_pb2.SegmentDimensions(
        metrics={
            "spend": segment_pb2.MetricDimension(
                comparison_operator=segment_pb2.MetricDimension.COMPARISON_OPERATOR_GREATER_THAN,
                value=100,
            )
        },
        attributes={
            # Importing somebody counts as activity, so that "not seen" is a date of the shop's own.
            "LastSeen": segment_pb2.AttributeDimension(
                attribute_type=segment_pb2.AttributeDimension.ATTRIBUTE_TYPE_BEFORE,
                values=["now-7d"],
            )
        },
    )
    groups = [
        segment_pb2.SegmentGroup(type=_ALL, dimensions=[dimensions])
        for dimensions in (in_japan, away)
    ]
    return segment_pb2.Segment(
        name="Japan on 2.0, or good customers who stayed away",
        segment_groups=segment_pb2.SegmentGroupList(include=_ANY, groups=groups),
    )


async def create_segment(platform: Platform, app_id: str) -> str:
    """Store the segment; returns its id."""
    answer = await platform.segmentation.CreateSegment(
        pb.CreateSegmentRequest(application_id=app_id, segment=definition()), metadata=platform.key
    )
    return answer.segment.segment_id


async def estimate(platform: Platform, app_id: str, segment_id: str) -> pb.EstimateSegmentResponse:
    """Count the members."""
    return await platform.segmentation.EstimateSegment(
        pb.EstimateSegmentRequest(
            application_id=app_id, reference=segment_pb2.SegmentReference(segment_id=segment_id)
        ),
        metadata=platform.key,
    )


async def explain(
    platform: Platform, app_id: str, segment_id: str, endpoint_id: str
) -> pb.ExplainMembershipResponse:
    """Ask why an endpoint is or is not a member."""
    return await platform.segmentation.ExplainMembership(
        pb.ExplainMembershipRequest(
            application_id=app_id,
            reference=segment_pb2.SegmentReference(segment_id=segment_id),
            endpoint_id=endpoint_id,
        ),
        metadata=platform.key,
    )
