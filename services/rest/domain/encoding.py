"""From a protobuf message to a JSON value of the model's shape, member by member."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from botocore.model import ListShape, MapShape, Shape, StructureShape
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.rest.domain.decoding import Field, enum_prefix, placed, short_name
from services.rest.domain.naming import HERE, field_path

Json = Any
# Zero says something in these, and "not given" everywhere else.
_COUNTS: Final = ("Count", "Pieces", "TotalProcessed", "TotalFailures", "Version")


@dataclass(frozen=True, slots=True)
class Occasion:
    """What an answer says that is in no message: its request, its region."""

    request_id: str
    region: str


# Members that no field carries, by proto message: (message, occasion) to value.
Filler = Callable[[Message, Occasion], Json]
Fillers = Mapping[str, Mapping[str, Filler]]


class Encoder:
    """Reads messages into JSON for one answer."""

    def __init__(self, occasion: Occasion, fillers: Fillers, inside: str = "") -> None:
        self._inside = inside
        self._occasion = occasion
        self._fillers = fillers

    def structure(self, message: Message, shape: StructureShape) -> dict[str, Json]:
        """All members of the structure that the message has a value for."""
        made: dict[str, Json] = {}
        for name, inner in shape.members.items():
            value = self._member(message, name, inner, required=name in shape.required_members)
            if value is not None:
                made[name] = value
        return made

    def _member(self, message: Message, name: str, shape: Shape, *, required: bool) -> Json:
        filler = self._fillers.get(short_name(message), {}).get(name)
        if filler is not None:
            return filler(message, self._occasion)
        where = placed(field_path(short_name(message), name), message.DESCRIPTOR, self._inside)
        if where == HERE:
            return self.structure(message, shape) if isinstance(shape, StructureShape) else None
        *owners, last = where.split(".")
        for owner in owners:
            message = getattr(message, owner)
        field = message.DESCRIPTOR.fields_by_name.get(last)
        if field is None and name == "Item":
            field = _only_list(message)
        if field is None:
            return "" if required and shape.type_name == "string" else None
        always = required or shape.type_name == "boolean" or name.endswith(_COUNTS)
        return self._field(message, field, shape, always=always)

    def _field(self, message: Message, field: Field, shape: Shape, *, always: bool) -> Json:
        value = getattr(message, field.name)
        if isinstance(shape, MapShape):
            return self._map(value, shape) if value or always else None
        if isinstance(shape, ListShape):
            return self._list(value, shape, field) if value or always else None
        if field.has_presence and not message.HasField(field.name):
            return {} if always and isinstance(shape, StructureShape) else None
        if isinstance(shape, StructureShape):
            return self.structure(value, shape)
        if field.message_type is not None:
            return _of_message(value, field)
        return _scalar(value, field, shape) if value or always or field.has_presence else None

    def _map(self, value: Any, shape: MapShape) -> Json:  # noqa: ANN401 - a proto map
        if isinstance(shape.value, StructureShape):
            return {key: self.structure(inner, shape.value) for key, inner in value.items()}
        if isinstance(shape.value, MapShape):  # a map of maps: a message that holds the inner one
            return {key: self._map(inner.endpoints, shape.value) for key, inner in value.items()}
        if isinstance(shape.value, ListShape):
            return {key: list(inner.values) for key, inner in value.items()}
        return dict(value)

    def _list(self, value: Any, shape: ListShape, field: Field) -> Json:  # noqa: ANN401 - a proto list
        if isinstance(shape.member, StructureShape):
            return [self.structure(inner, shape.member) for inner in value]
        return [_scalar(inner, field, shape.member) for inner in value]


def _only_list(message: Message) -> Field | None:
    lists = [f for f in message.DESCRIPTOR.fields if f.is_repeated and f.message_type is not None]
    return lists[0] if len(lists) == 1 else None


def _of_message(value: Any, field: Field) -> Json:  # noqa: ANN401 - a message or a map
    if field.message_type.full_name == "google.protobuf.Timestamp":
        moment = value.ToDatetime(tzinfo=UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps(dict(value), ensure_ascii=False) if value else None


def _scalar(value: Any, field: Field, shape: Shape) -> Json:  # noqa: ANN401 - any scalar
    if field.enum_type is not None:
        name: str = field.enum_type.values_by_number[value].name
        told = name.removeprefix(enum_prefix(field.enum_type))
        return None if told == "UNSPECIFIED" else told
    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64encode(value).decode()
    if shape.type_name == "string" and not isinstance(value, str):
        return str(value)
    return value
