"""Which members of the model a served operation carries, found by walking model and protos."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from services.rest.clients import rpc_of
from services.rest.domain.decoding import placed
from services.rest.domain.fillers import FILLERS
from services.rest.domain.model import Action
from services.rest.domain.naming import HERE, field_path
from services.rest.domain.operations import ACCEPTED, WITHOUT_EFFECT, Operation

Descriptor = Any
Shape = Any


@dataclass
class Gaps:
    """Members by their path, such as `MessageConfiguration.GCMMessage`."""

    refused: list[str] = field(default_factory=list)  # in requests: answered with 501
    without_effect: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)  # in answers: left out


def gaps_of(action: Action, row: Operation) -> Gaps:
    """What of an operation's request and answer is not carried."""
    found = Gaps()
    rpc = rpc_of(row.rpc)
    for parameter in (*action.path_parameters, *action.query_parameters):
        if parameter.member in row.without_effect:
            found.without_effect.append(parameter.member)
    if action.payload is not None:
        body = _at(rpc.request.DESCRIPTOR, row.body)
        for path in missing(action.payload[1], body, inside=row.inside):
            ours = path.rpartition(".")[2] in WITHOUT_EFFECT
            (found.without_effect if ours else found.refused).append(path)
    if action.answer is not None and row.answer != ACCEPTED and not row.way:
        answer = _at(rpc.answer.DESCRIPTOR, row.answer)
        found.unanswered += missing(action.answer, answer, row.inside, answering=True)
    return found


def missing(
    shape: Shape, described: Descriptor, inside: str = "", *, answering: bool = False
) -> list[str]:
    """Paths of the members below a structure that no field carries."""
    return list(_missing(shape, described, ("", inside), answering=answering))


def _missing(
    shape: Shape, described: Descriptor, place: tuple[str, str], *, answering: bool
) -> Iterator[str]:
    prefix, inside = place
    name = described.full_name.removeprefix("touchpoint.")
    for member, inner in shape.members.items():
        if answering and member in FILLERS.get(name, {}):
            continue
        path = prefix + member
        target = _target(described, member, placed(field_path(name, member), described, inside))
        if target is None:
            yield path
            continue
        shape_inside, below = _inside(inner)
        if shape_inside is not None and target.full_name.startswith("touchpoint."):
            yield from _missing(shape_inside, target, (path + below, inside), answering=answering)


def _target(described: Descriptor, member: str, where: str) -> Descriptor | None:
    """The message below a member, the owner itself for a plain field, None for no field."""
    if where == HERE:
        return described
    current = described
    for part in where.split("."):
        found = current.fields_by_name.get(part)
        if found is None:
            lists = [f for f in current.fields if f.is_repeated and f.message_type is not None]
            found = lists[0] if member == "Item" and len(lists) == 1 else None
        if found is None:
            return None
        current = _value(found.message_type) if found.message_type is not None else current
    return current


def _value(message: Descriptor) -> Descriptor:
    if message.GetOptions().map_entry:
        value = message.fields_by_name["value"]
        return value.message_type or message
    return message


def _inside(shape: Shape) -> tuple[Shape | None, str]:
    kind = shape.type_name
    if kind == "structure":
        return shape, "."
    if kind == "list" and shape.member.type_name == "structure":
        return shape.member, "[]."
    if kind == "map" and shape.value.type_name == "structure":
        return shape.value, "{}."
    return None, ""


def _at(described: Descriptor, path: str) -> Descriptor:
    for part in path.split(".") if path else ():
        described = described.fields_by_name[part].message_type
    return described
