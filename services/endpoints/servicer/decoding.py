"""Requests as domain values."""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_filter_pb2 as filters
from touchpoint.endpoints.v1 import endpoint_pb2 as pb
from touchpoint.endpoints.v1 import import_service_pb2 as imports

from libs.errors import InvalidFields, Violation
from libs.timestamps import from_timestamp, set_instant
from services.endpoints.domain import filters as domain
from services.endpoints.domain.endpoint import COORDINATES, PLACE, Change
from services.endpoints.domain.filters import DEEPEST, EVERYBODY, Filter, Group
from services.endpoints.domain.identity import is_application_id
from services.endpoints.domain.jobs import Definition

_GROUPS: Final = {"all_of": "ALL", "any_of": "ANY", "none_of": "NONE"}


def application_of(request: Any) -> str:  # noqa: ANN401 - any request with an application
    """The application of a request. Raises InvalidFields."""
    application_id: str = request.application_id
    if not is_application_id(application_id):
        raise InvalidFields([Violation("application_id", "is not an application id")])
    return application_id


def to_change(given: pb.Endpoint) -> Change:
    """What an endpoint message asks to change."""
    location, user = given.location, given.user
    return Change(
        given.endpoint_id,
        channel_name(given.channel_type),
        given.address if given.HasField("address") else None,
        _lists(given.attributes),
        dict(given.metrics),
        {field.name: value for field, value in given.demographic.ListFields()},
        {name: getattr(location, name) for name in PLACE if location.HasField(name)},
        {name: getattr(location, name) for name in COORDINATES if location.HasField(name)},
        user.user_id if user.HasField("user_id") else None,
        _lists(user.user_attributes),
        {pb.OPT_OUT_ALL: True, pb.OPT_OUT_NONE: False}.get(given.opt_out),
        given.endpoint_status == pb.ENDPOINT_STATUS_INACTIVE,
        moment(given.effective_date),
    )


def _lists(given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(values.values) for name, values in given.items()}


def channel_name(value: int) -> str:
    """`EMAIL` for CHANNEL_TYPE_EMAIL; empty when unset, the number when it is not known."""
    known = channel_pb2.ChannelType.DESCRIPTOR.values_by_number.get(value)
    if known is None:
        return str(value)
    return "" if value == 0 else known.name.removeprefix("CHANNEL_TYPE_")


def moment(stamp: Timestamp) -> Any:  # noqa: ANN401 - datetime or None
    """The instant of a timestamp; None when unset. Raises InvalidFields beyond the years 1-9999."""
    try:
        return from_timestamp(stamp)
    except (ValueError, OverflowError) as error:
        raise InvalidFields([Violation("timestamp", "is out of range")]) from error


def filter_of(given: filters.EndpointFilter) -> Filter:
    """The filter, checked. Raises InvalidFields naming every bad node."""
    asked = _filter(given, 0)
    domain.check_filter(asked)
    return asked


def _filter(given: filters.EndpointFilter, depth: int) -> Filter:
    if depth > DEEPEST + 1:
        raise InvalidFields([Violation("filter", f"groups nest no deeper than {DEEPEST}")])
    kind = given.WhichOneof("node")
    if kind is None:
        return EVERYBODY
    node = getattr(given, kind)
    if kind in _GROUPS:
        return Group(_GROUPS[kind], tuple(_filter(part, depth + 1) for part in node.filters))
    test: Filter = _TESTS[kind](node)
    return test


def _text(test: filters.TextTest) -> Filter:
    operator = _name(filters.TextTest.Operator, test.operator, "OPERATOR_")
    return domain.Text(_field(test.field), operator, tuple(test.values), test.name)


def _instant(test: filters.InstantTest) -> Filter:
    return domain.Instant(
        _field(test.field),
        test.name,
        set_instant(test, "start_time"),
        set_instant(test, "end_time"),
        test.start_inclusive,
        test.end_inclusive,
    )


def _version(test: filters.VersionTest) -> Filter:
    return domain.Version(_field(test.field), _comparison(test.comparison), test.version, test.name)


def _number(test: filters.NumberTest) -> Filter:
    return domain.Number(test.name, _comparison(test.comparison), test.value)


def _distance(test: filters.DistanceTest) -> Filter:
    return domain.Distance(test.latitude, test.longitude, test.range_in_kilometers)


def _activity(test: filters.ActivityTest) -> Filter:
    return domain.Activity(test.active, set_instant(test, "since_time"))


def _imported(test: filters.ImportTest) -> Filter:
    return domain.Imported(test.segment_id)


def _channel(test: filters.ChannelTest) -> Filter:
    return domain.Channel(test.included, tuple(channel_name(c) for c in test.channel_types))


_TESTS: Final[Mapping[str, Any]] = {
    "text": _text,
    "instant": _instant,
    "version": _version,
    "number": _number,
    "distance": _distance,
    "activity": _activity,
    "imported": _imported,
    "channel": _channel,
}


def _field(value: int) -> str:
    return _name(filters.FilterField, value, "FILTER_FIELD_")


def _comparison(value: int) -> str:
    return _name(filters.Comparison, value, "COMPARISON_")


def _name(enum: Any, value: int, prefix: str) -> str:  # noqa: ANN401 - a generated enum
    known = enum.DESCRIPTOR.values_by_number.get(value)
    return str(value) if known is None else known.name.removeprefix(prefix)


def to_definition(given: imports.ImportJobDefinition) -> Definition:
    """What an import is asked to do."""
    return Definition(
        application_of(given),
        _name(imports.ImportFormat, given.format, "IMPORT_FORMAT_"),
        given.register_endpoints,
        given.define_segment,
        given.segment_name,
        given.segment_id,
        given.source_url,
        given.validate_only,
    )
