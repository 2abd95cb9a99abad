"""What is wrong with the in-app messages of a campaign, and with the event they are shown at."""

import math
from collections.abc import Iterable, Iterator

from google.protobuf.descriptor import EnumDescriptor
from touchpoint.campaigns.v1 import campaign_pb2 as pb
from touchpoint.segmentation.v1 import segment_pb2

from libs.errors import Violations
from libs.in_app import check_in_app

_FILTER = "campaign.schedule.event_filter"
_LONGEST = 100
_MOST_METRICS = 1  # spec 6.7
_SETS = frozenset(
    {
        segment_pb2.SetDimension.DIMENSION_TYPE_UNSPECIFIED,
        segment_pb2.SetDimension.DIMENSION_TYPE_INCLUSIVE,
        segment_pb2.SetDimension.DIMENSION_TYPE_EXCLUSIVE,
    }
)


def check_contents(campaign: pb.Campaign) -> Violations:
    """Every bad field of the in-app messages and of the event filter."""
    found = Violations()
    for path, messages in _configurations(campaign):
        if messages.HasField("in_app_message"):
            check_in_app(found, messages.in_app_message, f"{path}.in_app_message")
    if campaign.schedule.HasField("event_filter"):
        _check_filter(found, campaign.schedule.event_filter)
    return found


def _configurations(campaign: pb.Campaign) -> Iterator[tuple[str, pb.MessageConfiguration]]:
    yield "campaign.message_configuration", campaign.message_configuration
    for number, one in enumerate(campaign.additional_treatments):
        path = f"campaign.additional_treatments[{number}].message_configuration"
        yield path, one.message_configuration


def _check_filter(found: Violations, given: pb.CampaignEventFilter) -> None:
    kinds = pb.CampaignEventFilter.FilterType.DESCRIPTOR
    known = given.filter_type and _is_known(kinds, given.filter_type)
    found.check(known, f"{_FILTER}.filter_type", "must be SYSTEM or ENDPOINT")
    dimensions, path = given.dimensions, f"{_FILTER}.dimensions"
    found.check(dimensions.event_type.values, f"{path}.event_type", "is required")
    fine = dimensions.event_type.dimension_type in _SETS
    told = "must be INCLUSIVE or EXCLUSIVE"
    found.check(fine, f"{path}.event_type.dimension_type", told)
    _check_texts(found, dimensions.event_type.values, f"{path}.event_type.values")
    for name, attribute in dimensions.attributes.items():
        _check_attribute(found, attribute, f"{path}.attributes[{name[:30]}]")
    few = len(dimensions.metrics) <= _MOST_METRICS
    found.check(few, f"{path}.metrics", f"no more than {_MOST_METRICS}")
    for name, metric in dimensions.metrics.items():
        _check_metric(found, metric, f"{path}.metrics[{name[:30]}]")


def _check_attribute(found: Violations, given: segment_pb2.AttributeDimension, path: str) -> None:
    kinds = segment_pb2.AttributeDimension.AttributeType.DESCRIPTOR
    found.check(_is_known(kinds, given.attribute_type), f"{path}.attribute_type", "is not known")
    found.check(given.values, f"{path}.values", "are missing")
    _check_texts(found, given.values, f"{path}.values")


def _check_metric(found: Violations, given: segment_pb2.MetricDimension, path: str) -> None:
    kinds = segment_pb2.MetricDimension.ComparisonOperator.DESCRIPTOR
    known = given.comparison_operator and _is_known(kinds, given.comparison_operator)
    found.check(known, f"{path}.comparison_operator", "is missing")
    found.check(math.isfinite(given.value), f"{path}.value", "must be a finite number")


def _check_texts(found: Violations, values: Iterable[str], path: str) -> None:
    for number, value in enumerate(values):
        told = f"must have 1 to {_LONGEST} characters"
        found.check(1 <= len(value) <= _LONGEST, f"{path}[{number}]", told)


def _is_known(kind: EnumDescriptor, number: int) -> bool:
    return number in kind.values_by_number
