"""`SendBatch` and `MessageContent` to the domain's values, reading only what the words ask for."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from google.protobuf.internal.containers import MessageMap
from google.protobuf.timestamp_pb2 import Timestamp
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.messaging.v1 import message_pb2 as pb

from libs.timestamps import from_timestamp
from services.messaging.domain.ledger import Origin
from services.messaging.domain.rendering import Content, Path, Source
from services.messaging.domain.work import Recipient, Words, Work

CHANNELS: Final[Mapping[int, str]] = {
    number: name.removeprefix("CHANNEL_TYPE_") for name, number in channel_pb2.ChannelType.items()
}
TYPES: Final[Mapping[int, str]] = {
    channel_pb2.MESSAGE_TYPE_TRANSACTIONAL: "TRANSACTIONAL",
    channel_pb2.MESSAGE_TYPE_PROMOTIONAL: "PROMOTIONAL",
    channel_pb2.MESSAGE_TYPE_UNSPECIFIED: "PROMOTIONAL",
}
_OPT_OUTS: Final = {endpoint_pb2.OPT_OUT_ALL: "ALL", endpoint_pb2.OPT_OUT_NONE: "NONE"}
_STATUSES: Final = {
    endpoint_pb2.ENDPOINT_STATUS_ACTIVE: "ACTIVE",
    endpoint_pb2.ENDPOINT_STATUS_INACTIVE: "INACTIVE",
}
Tree = dict[str, object]
Reader = Callable[[bytes], Tree | None]
_Lists = MessageMap[str, channel_pb2.StringList]


def work_of(batch: pb.SendBatch) -> Work:
    """A batch without its recipients."""
    origin = batch.origin
    return Work(
        batch.batch_id,
        batch.dispatch_id,
        Origin(origin.application_id, origin.campaign_id, origin.activity_id, origin.request_id),
        CHANNELS[batch.channel_type],
        TYPES[batch.message_type],
        batch.content_id,
        batch.treatment_id,
        from_timestamp(batch.expire_time),
        batch.messages_per_second,
        dict(batch.context),
        batch.trace_id,
    )


def recipients_of(batch: pb.SendBatch, read: Reader) -> list[Recipient]:
    """The recipients, with the values of their endpoints that `read` picks."""
    return [
        Recipient(
            one.message_id,
            one.endpoint_id,
            one.address,
            one.user_id,
            dict(one.substitutions),
            read(one.endpoint),
            one.body_override,
            one.title_override,
            dict(one.context) if one.context else None,
        )
        for one in batch.recipients
    ]


def words_of(channel_type: str, body: bytes) -> Words:
    """A content with its templates compiled. Raises RenderingFailed."""
    content = pb.MessageContent.FromString(body)
    email, sms = content.email, content.sms
    is_sms = content.WhichOneof("content") == "sms"
    source = Source(
        channel_type,
        text=sms.body if is_sms else email.text,
        subject=email.subject,
        html=email.html,
        headers=tuple((header.name, header.value) for header in email.headers),
        substitutions=dict(content.substitutions),
        defaults=dict(content.default_substitutions),
        skip_on_missing=content.skip_on_missing_variable,
    )
    return Words(
        Content(source),
        email.from_address,
        tuple(email.reply_to_addresses),
        email.raw,
        email.tracked,
        email.unsubscribable,
        sms.origination_number,
        sms.sender_id,
        sms.entity_id,
        sms.template_id,
    )


def endpoint_reader(variables: Iterable[Path]) -> Reader:
    """A function that reads from a serialized endpoint the values these variables may mean."""
    paths = [path for path in variables if path]
    if not paths:
        return lambda _: None
    # A path that ends at a map, such as `Attributes` in an #each, wants all of it.
    names = frozenset(part for path in paths for part in path)
    wants_all = any(path[-1] in _MAPS for path in paths)

    def read(data: bytes) -> Tree | None:
        if not data:
            return None
        return _tree(endpoint_pb2.Endpoint.FromString(data), None if wants_all else names)

    return read


_MAPS: Final = frozenset({"Attributes", "Metrics", "User", "UserAttributes"})
_DEMOGRAPHIC: Final = {
    "AppVersion": "app_version", "Locale": "locale", "Make": "make", "Model": "model",
    "ModelVersion": "model_version", "Platform": "platform",
    "PlatformVersion": "platform_version", "Timezone": "timezone",
}  # fmt: skip
_LOCATION: Final = {
    "City": "city", "Country": "country", "Latitude": "latitude", "Longitude": "longitude",
    "PostalCode": "postal_code", "Region": "region",
}  # fmt: skip


def _tree(endpoint: endpoint_pb2.Endpoint, names: frozenset[str] | None) -> Tree:
    """The endpoint as spec 5.2 names its values; `names` None means every one of them."""
    tree: Tree = {
        "Attributes": _lists(endpoint.attributes, names),
        "User": {
            "UserId": endpoint.user.user_id or None,
            "UserAttributes": _lists(endpoint.user.user_attributes, names),
        },
    }
    if names is None or not names.isdisjoint(_SCALARS):
        tree |= _scalars(endpoint)
    if names is None or "Metrics" in names:
        tree["Metrics"] = dict(endpoint.metrics)
    if names is None or "Demographic" in names:
        tree["Demographic"] = _fields(endpoint.demographic, _DEMOGRAPHIC)
    if names is None or "Location" in names:
        tree["Location"] = _fields(endpoint.location, _LOCATION)
    return tree


_SCALARS: Final = frozenset(
    [
        "Address",
        "ChannelType",
        "CreationDate",
        "EffectiveDate",
        "EndpointStatus",
        "Id",
        "OptOut",
        "RequestId",
        "CohortId",
        "ApplicationId",
    ]
)


def _scalars(endpoint: endpoint_pb2.Endpoint) -> Tree:
    return {
        "Address": endpoint.address or None,
        "ChannelType": CHANNELS.get(endpoint.channel_type),
        "CreationDate": _date(endpoint.creation_date),
        "EffectiveDate": _date(endpoint.effective_date),
        "EndpointStatus": _STATUSES.get(endpoint.endpoint_status),
        "Id": endpoint.endpoint_id or None,
        "OptOut": _OPT_OUTS.get(endpoint.opt_out),
        "RequestId": endpoint.request_id or None,
        "CohortId": endpoint.cohort_id or None,
        "ApplicationId": endpoint.application_id or None,
    }


def _date(stamp: Timestamp) -> str | None:
    return stamp.ToJsonString() if stamp.seconds else None


def _lists(lists: _Lists, names: frozenset[str] | None) -> dict[str, list[str]]:
    if names is None:
        return {name: list(values.values) for name, values in lists.items()}
    return {name: list(lists[name].values) for name in names if name in lists}


def _fields(
    part: endpoint_pb2.Demographic | endpoint_pb2.Location, fields: Mapping[str, str]
) -> Tree:
    return {
        name: getattr(part, field)
        for name, field in fields.items()
        if part.HasField(field)  # type: ignore[arg-type]
    }
