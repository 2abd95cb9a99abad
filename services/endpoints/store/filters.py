"""Filters as MongoDB queries; they answer as `domain.evaluate.matches` does."""

import re
from typing import Final

from bson.regex import Regex

from libs.mongo.client import Document
from services.endpoints.domain.channels import meant
from services.endpoints.domain.filters import (
    EARTH_KM,
    Activity,
    Channel,
    Distance,
    Filter,
    Group,
    Imported,
    Instant,
    Number,
    Text,
    Version,
)
from services.endpoints.domain.identity import IdRange, field_name
from services.endpoints.domain.instants import to_millisecond
from services.endpoints.domain.versions import version_key

_OPERATORS: Final = {
    "EQUAL": "$eq",
    "GREATER_THAN": "$gt",
    "GREATER_THAN_OR_EQUAL": "$gte",
    "LESS_THAN": "$lt",
    "LESS_THAN_OR_EQUAL": "$lte",
}
_GROUPS: Final = {"ALL": "$and", "ANY": "$or", "NONE": "$nor"}
_PATHS: Final = {
    "APP_VERSION": "demographic.app_version",
    "MAKE": "demographic.make",
    "MODEL": "demographic.model",
    "PLATFORM": "demographic.platform",
    "COUNTRY": "location.country",
    "USER_ID": "user_id",
}
_LISTS: Final = {"ATTRIBUTE": "attributes", "USER_ATTRIBUTE": "user_attributes"}
_NEVER: Final[Document] = {"$nor": [{}]}


def query_for(ids: IdRange, root: Filter) -> Document:
    """The query for the endpoints in a range of ids that the filter admits."""
    span = {"$gt" if ids.after else "$gte": ids.low, "$lt": ids.high}
    asked = compiled(root)
    return {"_id": span, **asked} if "_id" not in asked else {"$and": [{"_id": span}, asked]}


def compiled(node: Filter) -> Document:
    """The query for a filter alone."""
    match node:
        case Group():
            return _group(node)
        case Text():
            return {_path(node.field, node.name): _text(node)}
        case Version():
            wanted = version_key(node.version)
            return {_version_path(node): {_OPERATORS[node.comparison]: wanted}}
        case Instant():
            path = f"instants.{_LISTS[node.field]}.{field_name(node.name)}"
            return {path: _instant(node)}
        case Number():
            operator = _OPERATORS[node.comparison]
            return {f"metrics.{field_name(node.name)}": {operator: node.value}}
        case _:
            return _fact(node)


def _group(node: Group) -> Document:
    parts = [compiled(part) for part in node.filters]
    if not parts:
        return _NEVER if node.kind == "ANY" else {}
    if len(parts) == 1 and node.kind != "NONE":
        return parts[0]
    return {_GROUPS[node.kind]: parts}


def _path(field: str, name: str) -> str:
    return f"{_LISTS[field]}.{field_name(name)}" if field in _LISTS else _PATHS[field]


def _version_path(node: Version) -> str:
    if node.field == "APP_VERSION":
        return "demographic.app_version_key"
    return f"versions.{_LISTS[node.field]}.{field_name(node.name)}"


def _text(node: Text) -> Document:
    if node.operator == "CONTAINS":
        # Escaped letter by letter: the pattern is a plain substring, matched case-sensitively.
        return {"$in": [Regex(re.escape(value), "") for value in node.values]}
    return {"$in" if node.operator == "IN" else "$nin": list(node.values)}


def _instant(node: Instant) -> Document:
    # One element must lie in the whole range, so the bounds go into $elemMatch together.
    bounds: Document = {}
    if node.start is not None:
        bounds["$gte" if node.start_inclusive else "$gt"] = to_millisecond(node.start)
    if node.end is not None:
        bounds["$lte" if node.end_inclusive else "$lt"] = to_millisecond(node.end)
    return {"$elemMatch": bounds} if bounds else {"$exists": True}


def _fact(node: Filter) -> Document:
    match node:
        case Distance():
            centre = [node.longitude, node.latitude]
            sphere = {"$centerSphere": [centre, node.range_km / EARTH_KM]}
            return {"location.point": {"$geoWithin": sphere}}
        case Activity(active, since) if since is not None:
            return {"last_activity": {"$gte" if active else "$lt": to_millisecond(since)}}
        case Imported():
            return {"imports": node.segment_id}
        case Channel():
            named = sorted(meant(node.channel_types))
            return {"channel_type": {"$in" if node.included else "$nin": named}}
        case _:
            return _NEVER
