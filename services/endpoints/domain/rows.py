"""Rows of import files as changes (spec 4.6): CSV with dot headers, and one JSON object a line."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from libs.errors import InvalidFields, Violation, Violations
from services.endpoints.domain.channels import CHANNELS
from services.endpoints.domain.endpoint import DEMOGRAPHIC, PLACE, Change
from services.endpoints.domain.identity import address_id
from services.endpoints.domain.jobs import FileUnreadable

LONGEST_LINE: Final = 256 * 1024
# Found in exports and Pinpoint's files; they cannot be imported (spec 4.6) and are passed over.
IGNORED: Final = frozenset(
    {"EffectiveDate", "RequestId", "EndpointStatus", "ApplicationId", "CreationDate", "CohortId"}
)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


_DEMOGRAPHIC: Final = {_camel(name): name for name in DEMOGRAPHIC}
_PLACE: Final = {_camel(name): name for name in PLACE}
_COORDINATES: Final = {"Latitude": "latitude", "Longitude": "longitude"}
# Header to (part of the change, name in it).
_HEADERS: Final[Mapping[str, tuple[str, str]]] = {
    "Id": ("plain", "endpoint_id"),
    "Address": ("plain", "address"),
    "ChannelType": ("plain", "channel_type"),
    "OptOut": ("plain", "opted_out"),
    "User.UserId": ("plain", "user_id"),
    **{f"Demographic.{header}": ("demographic", name) for header, name in _DEMOGRAPHIC.items()},
    **{f"Location.{header}": ("place", name) for header, name in _PLACE.items()},
    **{f"Location.{header}": ("coordinates", name) for header, name in _COORDINATES.items()},
}
_OPEN: Final = (
    ("User.UserAttributes.", "user_attributes"),
    ("Attributes.", "attributes"),
    ("Metrics.", "metrics"),
)
_NUMBERS: Final = frozenset({"metrics", "coordinates"})
_LISTS: Final = frozenset({"attributes", "user_attributes"})
_BRACKETS: Final = re.compile(r"\[(.*)\]$")


def split_lines(carry: bytes, piece: bytes, *, last: bool) -> tuple[list[bytes], bytes]:
    """The whole lines in what is at hand, and the rest that the next piece goes on with.

    Values hold no line breaks (spec 4.6), so that a line is a row. Raises FileUnreadable.
    """
    lines = (carry + piece).split(b"\n")
    rest = b"" if last else lines.pop()
    if last and lines and not lines[-1]:
        lines.pop()
    if len(rest) > LONGEST_LINE:
        raise FileUnreadable(f"a line is longer than {LONGEST_LINE} bytes")
    return lines, rest


Reader = Callable[[str], Change]


class CsvReader:
    """Reads the rows of a CSV file whose header row is known."""

    def __init__(self, header: str) -> None:
        """Raises FileUnreadable naming every header that is not known."""
        names = [name.strip() for name in _cells(header)]
        unknown = [name for name in names if name not in IGNORED and _target(name) is None]
        if unknown:
            raise FileUnreadable(f"line 1: headers that are not known: {', '.join(unknown)}")
        self._targets = [_target(name) for name in names]
        self._names = names

    def __call__(self, line: str) -> Change:
        """The change of a row. Raises InvalidFields."""
        cells = _cells(line)
        if len(cells) != len(self._targets):
            told = f"{len(cells)} values for {len(self._targets)} headers"
            raise InvalidFields([Violation("row", told)])
        parts: dict[str, dict[str, Any]] = {}
        faults: list[Violation] = []
        for target, cell, header in zip(self._targets, cells, self._names, strict=True):
            if not cell or target is None:
                continue
            kind, name = target
            part = parts.setdefault(kind, {})
            if kind in _LISTS:
                part[name] = (*part.get(name, ()), cell)
            elif kind not in _NUMBERS:
                part[name] = cell
            elif (number := _number(cell)) is not None:
                part[name] = number
            else:
                faults.append(Violation(header, "must be a number"))
        return _change(parts, faults)


def _cells(line: str) -> list[str]:
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise InvalidFields([Violation("row", f"quotes do not close: {error}")]) from error


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _target(header: str) -> tuple[str, str] | None:
    known = _HEADERS.get(header)
    if known is not None:
        return known
    for lead, kind in _OPEN:
        if header.startswith(lead) and len(header) > len(lead):
            return kind, header[len(lead) :]
    return None


def read_json(line: str) -> Change:
    """The change of a JSON object. Raises InvalidFields."""
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InvalidFields([Violation("row", f"is no JSON: {error}")]) from error
    if not isinstance(row, dict):
        raise InvalidFields([Violation("row", "must be a JSON object")])
    parts: dict[str, dict[str, Any]] = {}
    faults: list[Violation] = []
    for header, value in _flat(row):
        target = _target(header)
        if header.partition(".")[0] in IGNORED or value is None:
            continue
        if target is None:
            faults.append(Violation(header, "is not known"))
            continue
        kind, name = target
        read = _json_value(kind, value)
        if read is None:
            faults.append(Violation(header, _EXPECTED.get(kind, "must be a text")))
        else:
            parts.setdefault(kind, {})[name] = read
    return _change(parts, faults)


_EXPECTED: Final = {
    "attributes": "must be a list of texts",
    "user_attributes": "must be a list of texts",
    "metrics": "must be a number",
    "coordinates": "must be a number",
}
_NESTED: Final = frozenset({"Attributes", "Metrics", "User", "Location", "Demographic"})


def _flat(row: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Fields with their dot headers, as a CSV file would have them."""
    for name, value in row.items():
        if name not in _NESTED or not isinstance(value, dict):
            yield name, value
            continue
        for inner, content in value.items():
            if name == "User" and inner == "UserAttributes" and isinstance(content, dict):
                for last, values in content.items():
                    yield f"User.UserAttributes.{last}", values
            else:
                yield f"{name}.{inner}", content


def _json_value(kind: str, value: Any) -> Any:  # noqa: ANN401 - what JSON holds
    """The value as the change holds it; None when it is of the wrong kind."""
    if kind in _NUMBERS:
        fine = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if fine else None
    if kind in _LISTS:
        listed = value if isinstance(value, list) else [value]
        return tuple(listed) if all(isinstance(v, str) for v in listed) else None
    return value if isinstance(value, str) else None


def _change(parts: Mapping[str, dict[str, Any]], faults: Sequence[Violation]) -> Change:
    plain = parts.get("plain", {})
    found = Violations()
    found.extend(faults)
    channel, opt_out = plain.get("channel_type", ""), plain.get("opted_out")
    found.check(not channel or channel in CHANNELS, "ChannelType", "is not known")
    found.check(opt_out in {None, "", "ALL", "NONE"}, "OptOut", "must be ALL or NONE")
    endpoint_id, address = plain.get("endpoint_id", ""), plain.get("address")
    if not endpoint_id and channel and address:
        endpoint_id = address_id(channel, address)
    if not endpoint_id and not plain.get("user_id"):
        found.add("Id", "a row needs Id, or Address and ChannelType, or User.UserId")
    found.raise_if_any()
    return Change(
        endpoint_id,
        channel,
        address,
        parts.get("attributes", {}),
        parts.get("metrics", {}),
        parts.get("demographic", {}),
        parts.get("place", {}),
        parts.get("coordinates", {}),
        plain.get("user_id"),
        parts.get("user_attributes", {}),
        {"ALL": True, "NONE": False}.get(opt_out or ""),
    )


def header_of(field: str) -> str:
    """A field of an endpoint as its header: `user.user_attributes[Tier]` is
    `User.UserAttributes.Tier`.
    """
    if field == "endpoint_id":
        return "Id"
    match = _BRACKETS.search(field)
    path = field[: match.start()] if match else field
    header = ".".join(_camel(part) for part in path.split("."))
    return f"{header}.{match[1]}" if match else header


def told(line: int, faults: Iterable[Violation]) -> str:
    """A refusal as the job keeps it: line number, fields, causes."""
    return f"line {line}: " + "; ".join(f"{v.field} {v.description}" for v in faults)
