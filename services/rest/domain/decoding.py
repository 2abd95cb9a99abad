"""From a JSON value of the model's shape into a protobuf message, member by member."""

import base64
import binascii
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from botocore.model import ListShape, MapShape, Shape, StructureShape
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.rest.domain.naming import HERE, field_path, snake

Json = Any
# A descriptor: its stubs know two classes of each, of which a program ever has one.
Field = Any
_TEXT: Final = FieldDescriptor.TYPE_STRING
_BYTES: Final = FieldDescriptor.TYPE_BYTES
# A list's own token goes on from the one before.
_PARAMETERS: Final = {"Token": "page_token", "NextToken": "page_token"}
_DECIMALS: Final = (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT)


class Decoder:
    """Writes members into messages, and notes what could not be written.

    `wrong` holds values of a wrong form, `unknown` members that no field carries. Members that a
    message has no field for go to its field `inside`, when it has that.
    """

    def __init__(self, inside: str = "") -> None:
        self._inside = inside
        self.wrong: list[str] = []
        self.unknown: list[str] = []

    def structure(
        self, value: Mapping[str, Json], shape: StructureShape, message: Message, path: str = ""
    ) -> None:
        """Write every given member of a structure into the message."""
        for name, inner in shape.members.items():
            given = value.get(name)
            if given is not None:
                self.member(name, given, inner, message, f"{path}.{name}" if path else name)

    def member(self, name: str, value: Json, shape: Shape, message: Message, path: str) -> None:
        """Write one member where the naming rules say."""
        where = placed(field_path(short_name(message), name), message.DESCRIPTOR, self._inside)
        self.at(where, value, shape, message, path)

    def parameter(self, name: str, value: str, message: Message) -> None:
        """Write a parameter of path or query, which the model calls a text whatever it is."""
        field = message.DESCRIPTOR.fields_by_name.get(_PARAMETERS.get(name) or snake(name))
        if field is None:
            self.unknown.append(name)
        elif field.message_type is not None:
            self._as_message(value, message, field, name)
        elif field.type == FieldDescriptor.TYPE_BOOL:
            setattr(message, field.name, value.lower() == "true")
        else:
            told = value.upper().replace("-", "_") if field.enum_type is not None else value
            self._scalar(told, message, field, name)

    def at(self, where: str, value: Json, shape: Shape, message: Message, path: str) -> None:
        """Write a value to the field at a dotted path from the message."""
        if where == HERE:
            if isinstance(shape, StructureShape):
                self.structure(value, shape, message, path)
            return
        *owners, last = where.split(".")
        for owner in owners:
            message = _inner(message, owner)
        field = message.DESCRIPTOR.fields_by_name.get(last)
        if field is None:
            if value not in ("", {}, [], None):
                self.unknown.append(path)
            return
        self._field(value, shape, message, field, path)

    def _field(self, value: Json, shape: Shape, message: Message, field: Field, path: str) -> None:
        if isinstance(shape, MapShape):
            self._map(value, shape, message, field, path)
        elif isinstance(shape, ListShape):
            self._list(value, shape, message, field, path)
        elif isinstance(shape, StructureShape):
            inner = _inner(message, field.name)
            inner.SetInParent()
            self.structure(value, shape, inner, path)
        elif field.message_type is not None:
            self._as_message(value, message, field, path)
        else:
            self._scalar(value, message, field, path)

    def _map(self, value: Json, shape: MapShape, message: Message, field: Field, path: str) -> None:
        message.ClearField(field.name)
        target = getattr(message, field.name)
        kind = field.message_type.fields_by_name["value"]
        for key, given in value.items():
            where = f"{path}[{key}]"
            if isinstance(shape.value, StructureShape):
                self.structure(given, shape.value, target[key], where)
            elif isinstance(shape.value, ListShape):
                target[key].values.extend(given)
            else:
                target[key] = float(given) if kind.type in _DECIMALS else given

    def _list(
        self, value: Json, shape: ListShape, message: Message, field: Field, path: str
    ) -> None:
        message.ClearField(field.name)
        target = getattr(message, field.name)
        for index, given in enumerate(value):
            where = f"{path}[{index}]"
            if isinstance(shape.member, StructureShape):
                self.structure(given, shape.member, target.add(), where)
            elif field.enum_type is not None:
                number = self._number(given, field.enum_type, where)
                target.extend([] if number is None else [number])
            else:
                target.append(given)

    def _as_message(self, value: Json, message: Message, field: Field, path: str) -> None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            moment = instant(value)
            if moment is None:
                self.wrong.append(f"{path}: must be a date of ISO 8601")
            else:
                getattr(message, field.name).FromDatetime(moment)
        else:  # a map in a text: DefaultSubstitutions
            self._json_text(value, getattr(message, field.name), path)

    def _json_text(self, value: str, target: Any, path: str) -> None:  # noqa: ANN401 - a proto map
        try:
            read = json.loads(value) if value else {}
        except ValueError:
            read = None
        if not isinstance(read, dict):
            self.wrong.append(f"{path}: must be a JSON object")
            return
        flat = {k: v if isinstance(v, str) else json.dumps(v) for k, v in read.items()}
        target.update(flat)

    def _scalar(self, value: Json, message: Message, field: Field, path: str) -> None:
        number: Json = value
        if field.enum_type is not None:
            number = self._number(value, field.enum_type, path)
        elif field.type == _BYTES:
            number = self._bytes(value, path)
        elif field.type in _DECIMALS:
            number = float(value)
        elif field.type != _TEXT and isinstance(value, str):
            number = self._integer(value, path)
        if number is None:
            return
        try:
            setattr(message, field.name, number)
        except ValueError:
            self.wrong.append(f"{path}: is out of range")

    def _number(self, value: str, kind: Field, path: str) -> int | None:
        found = kind.values_by_name.get(f"{enum_prefix(kind)}{value}")
        if found is None or found.number == 0:
            names = (name.removeprefix(enum_prefix(kind)) for name in kind.values_by_name)
            known = ", ".join(name for name in names if name != "UNSPECIFIED")
            self.wrong.append(f"{path}: must be one of {known}")
            return None
        return int(found.number)

    def _bytes(self, value: str, path: str) -> bytes | None:
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            self.wrong.append(f"{path}: must be base64")
            return None

    def _integer(self, value: str, path: str) -> int | None:
        if value.strip().isascii() and value.strip().isdigit():
            return int(value)
        self.wrong.append(f"{path}: must be a whole number")
        return None


def _inner(message: Message, name: str) -> Message:
    found: Message = getattr(message, name)
    return found


def placed(where: str, described: Field, inside: str) -> str:
    """The path `where` from a message, through its field `inside` if it has no such field."""
    fields = described.fields_by_name
    if not where or not inside or where.partition(".")[0] in fields or inside not in fields:
        return where
    return f"{inside}.{where}"


def short_name(message: Message) -> str:
    """`campaigns.v1.Campaign` of a `touchpoint.campaigns.v1.Campaign`."""
    return message.DESCRIPTOR.full_name.removeprefix("touchpoint.")


def enum_prefix(kind: Field) -> str:
    """What the names of an enum's values begin with."""
    name: str = kind.values_by_number[0].name
    return name.removesuffix("UNSPECIFIED")


def instant(value: str) -> datetime | None:
    """An instant in ISO 8601; a time without a zone is UTC (spec 1.8). None when it is none."""
    try:
        moment = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
    except (ValueError, AttributeError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
