"""An endpoint's values under the names templates use (spec 5.2), and whose value wins.

Senders and previews must agree to the letter, so both read endpoints here.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from google.protobuf.internal.containers import MessageMap
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2

from libs.handlebars import FlatLayer, Layers, TreeLayer

Path = tuple[str, ...]
Tree = dict[str, object]
Reader = Callable[[bytes], Tree | None]
_Lists = MessageMap[str, channel_pb2.StringList]

# Spec 5.2, highest first. A short name is looked for among user attributes, then attributes.
LAYERS: Final = Layers(
    (FlatLayer("recipient"), FlatLayer("message"), TreeLayer("endpoint"), FlatLayer("default")),
    prefixes=(("User", "UserAttributes"), ("Attributes",)),
)
CHANNELS: Final[Mapping[int, str]] = {
    number: name.removeprefix("CHANNEL_TYPE_") for name, number in channel_pb2.ChannelType.items()
}
_OPT_OUTS: Final = {endpoint_pb2.OPT_OUT_ALL: "ALL", endpoint_pb2.OPT_OUT_NONE: "NONE"}
_STATUSES: Final = {
    endpoint_pb2.ENDPOINT_STATUS_ACTIVE: "ACTIVE",
    endpoint_pb2.ENDPOINT_STATUS_INACTIVE: "INACTIVE",
}
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
_SCALARS: Final = frozenset(
    {
        "Address", "ChannelType", "CreationDate", "EffectiveDate", "EndpointStatus", "Id",
        "OptOut", "RequestId", "CohortId", "ApplicationId",
    }
)  # fmt: skip


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
        return endpoint_tree(endpoint_pb2.Endpoint.FromString(data), None if wants_all else names)

    return read


def whole_endpoint(data: bytes) -> Tree | None:
    """Every value of a serialized endpoint; None when there is none."""
    return endpoint_tree(endpoint_pb2.Endpoint.FromString(data)) if data else None


def endpoint_tree(endpoint: endpoint_pb2.Endpoint, names: frozenset[str] | None = None) -> Tree:
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


def _scalars(endpoint: endpoint_pb2.Endpoint) -> Tree:
    return {
        "Address": endpoint.address or None,
        "ChannelType": CHANNELS.get(endpoint.channel_type),
        "CreationDate": _date(endpoint, "creation_date"),
        "EffectiveDate": _date(endpoint, "effective_date"),
        "EndpointStatus": _STATUSES.get(endpoint.endpoint_status),
        "Id": endpoint.endpoint_id or None,
        "OptOut": _OPT_OUTS.get(endpoint.opt_out),
        "RequestId": endpoint.request_id or None,
        "CohortId": endpoint.cohort_id or None,
        "ApplicationId": endpoint.application_id or None,
    }


def _date(endpoint: endpoint_pb2.Endpoint, field: str) -> str | None:
    stamp = getattr(endpoint, field)
    return str(stamp.ToJsonString()) if stamp.seconds else None


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
