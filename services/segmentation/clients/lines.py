"""Members as lines of NDJSON that an import reads: Pinpoint's names, what is empty left out."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from google.protobuf.message import Message
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2

_ALL: Final = endpoint_pb2.OPT_OUT_ALL
_INACTIVE: Final = endpoint_pb2.ENDPOINT_STATUS_INACTIVE


def line(data: bytes) -> bytes:
    """One line of a serialized Endpoint, with its newline."""
    endpoint = endpoint_pb2.Endpoint.FromString(data)
    user = _texts(endpoint.user) | {"UserAttributes": _lists(endpoint.user.user_attributes)}
    told = {
        "Id": endpoint.endpoint_id,
        "ChannelType": channel_pb2.ChannelType.Name(endpoint.channel_type)[len("CHANNEL_TYPE_") :],
        "Address": endpoint.address,
        "Attributes": _lists(endpoint.attributes),
        "Metrics": dict(endpoint.metrics),
        "Demographic": _texts(endpoint.demographic),
        "Location": _texts(endpoint.location),
        "User": {name: value for name, value in user.items() if value},
        "OptOut": "ALL" if endpoint.opt_out == _ALL else "NONE",
        "EndpointStatus": "INACTIVE" if endpoint.endpoint_status == _INACTIVE else "ACTIVE",
        "EffectiveDate": endpoint.effective_date.ToJsonString(),
    }
    return orjson.dumps({name: value for name, value in told.items() if value}) + b"\n"


def _texts(message: Message) -> dict[str, Any]:
    """The plain fields that are set, by Pinpoint's names."""
    return {
        "".join(word.capitalize() for word in field.name.split("_")): value
        for field, value in message.ListFields()
        if field.message_type is None
    }


def _lists(values: Mapping[str, Any]) -> dict[str, list[str]]:
    return {name: list(inner.values) for name, inner in values.items()}
