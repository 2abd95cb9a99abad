"""A JSON body against a shape of the model: every wrong type and missing member is named."""

from collections.abc import Mapping
from typing import Any, Final

from botocore.model import ListShape, MapShape, Shape, StructureShape

Json = Any
_SCALARS: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "character": (str,),
    "blob": (str,),
    "timestamp": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
}


def faults(value: Json, shape: Shape, path: str = "") -> list[str]:
    """What is wrong, as `Member.Path: why`; null means not given, as in the SDKs."""
    if isinstance(shape, StructureShape):
        return _structure(value, shape, path)
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            return [f"{path}: must be a list"]
        return [f for i, v in enumerate(value) for f in faults(v, shape.member, f"{path}[{i}]")]
    if isinstance(shape, MapShape):
        if not isinstance(value, dict):
            return [f"{path}: must be a map"]
        return [f for k, v in value.items() for f in faults(v, shape.value, f"{path}[{k}]")]
    wanted = _SCALARS[shape.type_name]
    fine = isinstance(value, wanted) and not (isinstance(value, bool) and bool not in wanted)
    return [] if fine else [f"{path}: must be a {shape.type_name}"]


def _structure(value: Json, shape: StructureShape, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path or 'body'}: must be an object"]
    prefix = f"{path}." if path else ""
    found = [
        f"{prefix}{member}: is missing"
        for member in shape.required_members
        if value.get(member) is None
    ]
    for member, inner in shape.members.items():
        if value.get(member) is not None:
            found += faults(value[member], inner, f"{prefix}{member}")
    return found
