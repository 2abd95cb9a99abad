"""Segments as documents. Names of attributes are values there: as keys they could not hold dots."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from libs.ids import derived_id
from libs.mongo.client import Document
from services.segmentation.domain.segment import (
    AttributeDimension,
    Dimensions,
    GPSPoint,
    Group,
    Groups,
    ImportFacts,
    MetricDimension,
    Recency,
    Reference,
    Segment,
    SetDimension,
)


def document_id(app_id: str, segment_id: str, *version: str) -> str:
    """Ids of imported segments are chosen by callers, so they are unique in an application only."""
    return derived_id(app_id, segment_id, *version)


def to_document(segment: Segment) -> Document:
    """The document of a segment's version, without an `_id`."""
    return {
        "app_id": segment.application_id,
        "segment_id": segment.segment_id,
        "name": segment.name,
        "version": segment.version,
        "creation_date": segment.creation_date,
        "last_modified_date": segment.last_modified_date,
        "dimensions": _dimensions_document(segment.dimensions) if segment.dimensions else None,
        "groups": _groups_document(segment.groups) if segment.groups else None,
        "imported": _import_document(segment.imported) if segment.imported else None,
        "tags": [[key, value] for key, value in segment.tags.items()],
    }


def from_document(document: Document) -> Segment:
    """The segment's version again."""
    dimensions, groups = document["dimensions"], document["groups"]
    imported = document["imported"]
    return Segment(
        application_id=document["app_id"],
        segment_id=document["segment_id"],
        name=document["name"],
        version=document["version"],
        creation_date=document["creation_date"],
        last_modified_date=document["last_modified_date"],
        dimensions=_dimensions(dimensions) if dimensions is not None else None,
        groups=_groups(groups) if groups is not None else None,
        imported=_import(imported) if imported is not None else None,
        tags=dict(document["tags"]),
    )


def _dimensions_document(given: Dimensions) -> Document:
    return {
        "attributes": _named_documents(given.attributes),
        "user_attributes": _named_documents(given.user_attributes),
        "metrics": _named_documents(given.metrics),
        "demographic": _named_documents(given.demographic),
        "country": asdict(given.country) if given.country else None,
        "gps_point": asdict(given.gps_point) if given.gps_point else None,
        "recency": asdict(given.recency) if given.recency else None,
    }


def _named_documents(criteria: Mapping[str, Any]) -> list[Document]:
    return [{"name": name} | asdict(criterion) for name, criterion in criteria.items()]


def _groups_document(given: Groups) -> Document:
    return {
        "include": given.include,
        "groups": [
            {
                "kind": group.kind,
                "source_kind": group.source_kind,
                "dimensions": [_dimensions_document(one) for one in group.dimensions],
                "sources": [asdict(reference) for reference in group.sources],
            }
            for group in given.groups
        ],
    }


def _import_document(given: ImportFacts) -> Document:
    counts = [[channel, count] for channel, count in given.channel_counts.items()]
    return asdict(given) | {"channel_counts": counts}


def _dimensions(document: Document) -> Dimensions:
    country, point = document["country"], document["gps_point"]
    recency = document["recency"]
    return Dimensions(
        {one["name"]: _attribute(one) for one in document["attributes"]},
        {one["name"]: _attribute(one) for one in document["user_attributes"]},
        {
            one["name"]: MetricDimension(one["operator"], one["value"])
            for one in document["metrics"]
        },
        {one["name"]: _set(one) for one in document["demographic"]},
        _set(country) if country else None,
        GPSPoint(**point) if point else None,
        Recency(**recency) if recency else None,
    )


def _attribute(document: Document) -> AttributeDimension:
    return AttributeDimension(document["operator"], tuple(document["values"]))


def _set(document: Document) -> SetDimension:
    return SetDimension(document["operator"], tuple(document["values"]))


def _groups(document: Document) -> Groups:
    return Groups(
        document["include"],
        tuple(
            Group(
                one["kind"],
                one["source_kind"],
                tuple(map(_dimensions, one["dimensions"])),
                tuple(Reference(**reference) for reference in one["sources"]),
            )
            for one in document["groups"]
        ),
    )


def _import(document: Document) -> ImportFacts:
    return ImportFacts(**document | {"channel_counts": dict(document["channel_counts"])})
