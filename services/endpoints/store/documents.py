"""An endpoint as a document and back.

Fields that filters read come first, as a scan reads a document from its start. Last is `member`,
a serialized AudienceMember with the serialized Endpoint inside: it is made when an endpoint is
written and passed on unread.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from random import getrandbits
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import audience_service_pb2 as audience
from touchpoint.endpoints.v1 import endpoint_pb2 as pb

from libs.mongo.client import Document
from services.endpoints.domain.endpoint import (
    COORDINATES,
    DEMOGRAPHIC,
    PLACE,
    Endpoint,
    Stored,
    Texts,
)
from services.endpoints.domain.identity import field_name, reach_of
from services.endpoints.domain.instants import instant_of
from services.endpoints.domain.versions import version_key

CHANNEL_VALUES: Final = {
    name.removeprefix("CHANNEL_TYPE_"): value for name, value in channel_pb2.ChannelType.items()
} | {"": 0}
CHANNEL_NAMES: Final = {value: name for name, value in CHANNEL_VALUES.items() if value} | {0: ""}
_TESTED: Final = ("app_version", "make", "model", "platform")
_DIGITS: Final = frozenset("0123456789")
_ALL, _NONE = pb.OPT_OUT_ALL, pb.OPT_OUT_NONE
_ACTIVE, _INACTIVE = pb.ENDPOINT_STATUS_ACTIVE, pb.ENDPOINT_STATUS_INACTIVE


def to_document(
    document_id: str, endpoint: Endpoint, last_activity: datetime, imports: Iterable[str]
) -> Document:
    """The whole document, with a new version."""
    reach = "" if endpoint.inactive else reach_of(endpoint.channel_type, endpoint.address)
    instants, versions = _sortable(endpoint)
    return {
        "_id": document_id,
        "app_id": endpoint.application_id,
        "key": key_of(document_id),
        "channel_type": endpoint.channel_type,
        "status": "INACTIVE" if endpoint.inactive else "ACTIVE",
        "opt_out": "ALL" if endpoint.opted_out else "NONE",
        "tally": tally_of(endpoint),
        "demographic": _demographic(endpoint.demographic),
        "location": _location(endpoint),
        "attributes": _lists(endpoint.attributes),
        "metrics": {field_name(name): value for name, value in endpoint.metrics.items()},
        "user_attributes": _lists(endpoint.user_attributes),
        "instants": instants,
        "versions": versions,
        "user_id": endpoint.user_id or None,
        "last_activity": last_activity,
        "imports": list(imports),
        "reach": reach or None,
        "v": getrandbits(62),
        "member": member_bytes(endpoint),
    }


def key_of(document_id: str) -> str:
    """A document id without its application."""
    return document_id.partition("/")[2]


def tally_of(endpoint: Endpoint) -> str:
    """What a count groups by: the channel, and `+` when the endpoint can be reached."""
    reachable = endpoint.address and not endpoint.opted_out and not endpoint.inactive
    return f"{endpoint.channel_type}+" if reachable else endpoint.channel_type


def _demographic(given: Mapping[str, str]) -> Document:
    tested: Document = {name: given[name] for name in _TESTED if name in given}
    if key := version_key(given.get("app_version", "")):
        tested["app_version_key"] = key
    return tested


def _location(endpoint: Endpoint) -> Document:
    location: Document = {}
    if country := endpoint.place.get("country"):
        location["country"] = country
    if len(endpoint.coordinates) == len(COORDINATES):
        location["point"] = [endpoint.coordinates["longitude"], endpoint.coordinates["latitude"]]
    return location


def _lists(given: Texts) -> Document:
    return {field_name(name): list(values) for name, values in given.items()}


def _sortable(endpoint: Endpoint) -> tuple[Document, Document]:
    """Attribute values that can be read as instants, and as versions, by field and name."""
    instants: Document = {}
    versions: Document = {}
    for kind, given in (
        ("attributes", endpoint.attributes),
        ("user_attributes", endpoint.user_attributes),
    ):
        for name, values in given.items():
            for value in values:
                if value[:1] not in _DIGITS:  # both begin with one; most texts do not
                    continue
                if (instant := instant_of(value)) is not None:
                    instants.setdefault(kind, {}).setdefault(field_name(name), []).append(instant)
                if (key := version_key(value)) is not None:
                    versions.setdefault(kind, {}).setdefault(field_name(name), []).append(key)
    return instants, versions


def member_bytes(endpoint: Endpoint) -> bytes:
    """The serialized AudienceMember."""
    return audience.AudienceMember(
        endpoint_id=endpoint.endpoint_id,
        channel_type=CHANNEL_VALUES[endpoint.channel_type],  # type: ignore[arg-type]
        address=endpoint.address,
        user_id=endpoint.user_id,
        timezone=endpoint.demographic.get("timezone", ""),
        cohort=endpoint.cohort,
        opted_out=endpoint.opted_out,
        inactive=endpoint.inactive,
        endpoint=_endpoint_bytes(endpoint),
    ).SerializeToString()


def _endpoint_bytes(endpoint: Endpoint) -> bytes:
    message = pb.Endpoint(
        endpoint_id=endpoint.endpoint_id,
        channel_type=CHANNEL_VALUES[endpoint.channel_type],  # type: ignore[arg-type]
        metrics=endpoint.metrics,
        opt_out=_ALL if endpoint.opted_out else _NONE,
        endpoint_status=_INACTIVE if endpoint.inactive else _ACTIVE,
        effective_date=_timestamp(endpoint.effective_date),
        request_id=endpoint.request_id,
        application_id=endpoint.application_id,
        creation_date=_timestamp(endpoint.creation_date),
        cohort_id=str(endpoint.cohort),
    )
    if endpoint.address:
        message.address = endpoint.address
    _fill(message.attributes, endpoint.attributes)
    if endpoint.demographic:
        message.demographic.MergeFrom(pb.Demographic(**endpoint.demographic))
    if endpoint.place or endpoint.coordinates:
        place: Mapping[str, Any] = {**endpoint.place, **endpoint.coordinates}
        message.location.MergeFrom(pb.Location(**place))
    if endpoint.user_id:
        message.user.user_id = endpoint.user_id
    if endpoint.user_attributes:
        _fill(message.user.user_attributes, endpoint.user_attributes)
    return message.SerializeToString(deterministic=True)


def _fill(target: Any, given: Texts) -> None:  # noqa: ANN401 - a protobuf map of lists
    for name, values in given.items():
        target[name].values.extend(values)


@lru_cache(maxsize=1024)  # all endpoints of a batch share theirs
def _timestamp(moment: datetime) -> Timestamp:
    micros = round(moment.timestamp() * 1_000_000)
    return Timestamp(seconds=micros // 1_000_000, nanos=micros % 1_000_000 * 1000)


@lru_cache(maxsize=1024)
def _moment(seconds: int, nanos: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanos // 1000)


def endpoint_bytes(document: Document) -> bytes:
    """The serialized Endpoint inside a document."""
    return audience.AudienceMember.FromString(document["member"]).endpoint


def to_stored(document: Document) -> Stored:
    """The endpoint of a document with what is kept beside it."""
    return Stored(
        to_endpoint(endpoint_bytes(document)),
        document["v"],
        document["last_activity"],
        frozenset(document["imports"]),
    )


def to_endpoint(data: bytes) -> Endpoint:
    """The endpoint of its serialized form."""
    message = pb.Endpoint.FromString(data)
    location, demographic = message.location, message.demographic
    return Endpoint(
        message.application_id,
        message.endpoint_id,
        int(message.cohort_id),
        _moment(message.creation_date.seconds, message.creation_date.nanos),
        _moment(message.effective_date.seconds, message.effective_date.nanos),
        message.request_id,
        CHANNEL_NAMES[message.channel_type],
        message.address,
        {name: tuple(values.values) for name, values in message.attributes.items()},
        dict(message.metrics),
        {name: value for name in DEMOGRAPHIC if (value := getattr(demographic, name))},
        {name: value for name in PLACE if (value := getattr(location, name))},
        {name: getattr(location, name) for name in COORDINATES if location.HasField(name)},
        message.user.user_id,
        {name: tuple(values.values) for name, values in message.user.user_attributes.items()},
        message.opt_out == _ALL,
        message.endpoint_status == _INACTIVE,
    )
