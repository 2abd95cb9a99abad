"""Definitions checked against what they build on, and segments turned into filters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from libs.errors import ResourceNotFound, Violations
from services.segmentation.clients.zones import ZonesClient
from services.segmentation.domain.compilation import compiled
from services.segmentation.domain.dates import Moment, needs_zone
from services.segmentation.domain.filters import Filter
from services.segmentation.domain.segment import Reference, Segment, sources
from services.segmentation.domain.sources import (
    DEEPEST,
    MOST_SEGMENTS,
    check_nesting,
    small_enough,
    too_many,
)
from services.segmentation.domain.validation import (
    MOST_SOURCES,
    check_criteria,
    check_naming,
    check_sources,
)
from services.segmentation.store.segments import SegmentStore


@dataclass(frozen=True, slots=True)
class Compiled:
    """A segment and the filter that admits its members at a moment."""

    segment: Segment
    asked: Filter


class Compiler:
    """Turns segments into filters over endpoints."""

    def __init__(self, store: SegmentStore, zones: ZonesClient) -> None:
        self._store = store
        self._zones = zones

    async def stored(self, app_id: str, reference: Reference, now: datetime) -> Compiled:
        """A stored segment. Raises ResourceNotFound for it and for segments it builds on."""
        segment = await self._store.get(app_id, reference.segment_id, reference.version)
        return Compiled(segment, await self._filter(segment, now, "reference"))

    async def unsaved(self, segment: Segment, now: datetime) -> Filter:
        """A definition that is not stored; it needs no name. Raises InvalidFields, SegmentCycle."""
        return await self._checked(Violations(), segment, now, "definition")

    async def check(self, segment: Segment, now: datetime) -> None:
        """Refuse what cannot be stored. Raises InvalidFields naming everything, SegmentCycle."""
        found = Violations()
        found.check(segment.application_id, "application_id", "is missing")
        check_naming(found, segment, "segment")
        await self._checked(found, segment, now, "segment")

    async def _checked(self, found: Violations, segment: Segment, now: datetime, at: str) -> Filter:
        moment = await self._moment(segment.application_id, [segment], now)
        check_criteria(found, segment, moment, at)
        wanted = [reference for _, reference in sources(segment)]
        if len(wanted) > MOST_SOURCES:  # noted as a fault just now; not worth reading them
            found.raise_if_any()
        known = await self._store.get_many(segment.application_id, wanted)
        check_sources(found, segment, known, at)
        found.raise_if_any()
        return await self._filter(segment, now, at)

    async def _filter(self, segment: Segment, now: datetime, at: str) -> Filter:
        library = await self._library(segment, at)
        check_nesting(segment, library)
        for one in (segment, *library.values()):
            for _, source in sources(one):
                if source not in library:
                    raise ResourceNotFound("segment", source.segment_id)
        moment = await self._moment(segment.application_id, [segment, *library.values()], now)
        return small_enough(compiled(segment, library, moment), at)

    async def _library(self, segment: Segment, at: str) -> dict[Reference, Segment]:
        """All segments below this one, read level by level; those that are gone are missing."""
        library: dict[Reference, Segment] = {}
        level = {reference for _, reference in sources(segment)}
        for _ in range(DEEPEST + 1):
            if not level:
                break
            found = await self._store.get_many(segment.application_id, list(level))
            library |= found
            if len(library) > MOST_SEGMENTS:
                raise too_many(at)
            below = {reference for one in found.values() for _, reference in sources(one)}
            level = below - library.keys()
        return library

    async def _moment(self, app_id: str, segments: Sequence[Segment], now: datetime) -> Moment:
        dated = any(needs_zone(segment) for segment in segments)
        return Moment(now, await self._zones.zone(app_id) if dated else UTC)
