"""SegmentationService: decode, call, encode."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Any

from touchpoint.endpoints.v1 import audience_service_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2 as pb
from touchpoint.segmentation.v1 import segmentation_service_pb2_grpc as rpc

from libs.clock import Clock
from libs.errors import InvalidFields, StateConflict, Violation
from libs.ids import new_id
from libs.mongo.paging import Pager, page_size
from libs.timestamps import to_timestamp
from services.segmentation.clients.audience import AudienceClient, Part
from services.segmentation.clients.events import EventPublisher
from services.segmentation.clients.filters import filter_to_proto
from services.segmentation.domain.explanation import reworded
from services.segmentation.domain.filters import Filter
from services.segmentation.servicer.decoding import segment_from_proto, target_from_proto
from services.segmentation.servicer.encoding import channel_estimates, segment_to_proto
from services.segmentation.store.segments import SegmentStore
from services.segmentation.usecases.compiler import Compiler

Call = Any  # grpc.aio's context; nothing here needs it


class SegmentationServicer(rpc.SegmentationServiceServicer):
    """Defines segments and answers who is in them."""

    def __init__(
        self,
        store: SegmentStore,
        compiler: Compiler,
        audience: AudienceClient,
        events: EventPublisher,
        pager: Pager,
        clock: Clock,
    ) -> None:
        self._store = store
        self._compiler = compiler
        self._audience = audience
        self._events = events
        self._pager = pager
        self._clock = clock

    async def CreateSegment(
        self, request: pb.CreateSegmentRequest, _: Call
    ) -> pb.CreateSegmentResponse:
        now = self._now()
        segment = segment_from_proto(request.segment, request.application_id, now)
        await self._compiler.check(segment, now)
        segment = replace(segment, version=1)
        if not request.validate_only:
            segment = replace(segment, segment_id=new_id())
            await self._store.add(segment)
        return pb.CreateSegmentResponse(segment=segment_to_proto(segment))

    async def GetSegment(self, request: pb.GetSegmentRequest, _: Call) -> pb.GetSegmentResponse:
        app_id, segment_id = request.application_id, request.segment_id
        segment = await self._store.get(app_id, segment_id, request.version)
        return pb.GetSegmentResponse(segment=segment_to_proto(segment))

    async def ListSegments(
        self, request: pb.ListSegmentsRequest, _: Call
    ) -> pb.ListSegmentsResponse:
        size = page_size(request.page_size)
        app_id, prefix = request.application_id, request.name_prefix
        query = ["segments", app_id, prefix]
        after = self._pager.last(query, request.page_token)
        found = await self._store.page(app_id, prefix, after, size + 1)
        page = found[:size]
        last = (page[-1].creation_date, page[-1].segment_id) if len(found) > size else None
        return pb.ListSegmentsResponse(
            segments=[segment_to_proto(segment) for segment in page],
            next_page_token=self._pager.token(query, last),
        )

    async def UpdateSegment(
        self, request: pb.UpdateSegmentRequest, _: Call
    ) -> pb.UpdateSegmentResponse:
        now = self._now()
        before = await self._store.get(request.application_id, request.segment_id)
        if before.imported:
            raise StateConflict("segment", "IMPORT", "an imported segment cannot be changed")
        written = segment_from_proto(request.segment, request.application_id, now)
        after = replace(
            written,
            segment_id=before.segment_id,
            version=before.version + 1,
            creation_date=before.creation_date,
            tags=before.tags,
        )
        await self._compiler.check(after, now)
        await self._store.replace(before, after)
        return pb.UpdateSegmentResponse(segment=segment_to_proto(after))

    async def DeleteSegment(
        self, request: pb.DeleteSegmentRequest, _: Call
    ) -> pb.DeleteSegmentResponse:
        app_id, segment_id = request.application_id, request.segment_id
        segment = await self._store.get(app_id, segment_id)
        # Told first: a crash in between leaves a segment that can be deleted again.
        await self._events.segment_deleted(app_id, segment_id)
        await self._store.delete(app_id, segment_id)
        return pb.DeleteSegmentResponse(segment=segment_to_proto(segment))

    async def ListSegmentVersions(
        self, request: pb.ListSegmentVersionsRequest, _: Call
    ) -> pb.ListSegmentVersionsResponse:
        size = page_size(request.page_size)
        app_id, segment_id = request.application_id, request.segment_id
        query = ["versions", app_id, segment_id]
        after = self._pager.last(query, request.page_token)
        latest = await self._store.get(app_id, segment_id)
        before = int(str(after[0])) if after else None
        found = await self._store.versions(latest, before, size + 1)
        page = found[:size]
        last = (page[-1].version,) if len(found) > size else None
        return pb.ListSegmentVersionsResponse(
            segments=[segment_to_proto(segment) for segment in page],
            next_page_token=self._pager.token(query, last),
        )

    async def EstimateSegment(
        self, request: pb.EstimateSegmentRequest, _: Call
    ) -> pb.EstimateSegmentResponse:
        count = await self._audience.count(request.application_id, await self._target(request))
        return pb.EstimateSegmentResponse(
            total_count=count.total,
            eligible_count=count.eligible,
            channels=channel_estimates(count.by_channel),
            estimate_time=to_timestamp(count.taken or self._now()),
        )

    async def CompileSegment(
        self, request: pb.CompileSegmentRequest, _: Call
    ) -> pb.CompileSegmentResponse:
        now = self._now()
        reference = target_from_proto(request.reference)
        found = await self._compiler.stored(request.application_id, reference, now)
        return pb.CompileSegmentResponse(
            filter=filter_to_proto(found.asked),
            version=found.segment.version,
            evaluation_time=to_timestamp(now),
        )

    # Answers are bytes of StreamSegmentMembersResponse (see `registration`), hence the override.
    async def StreamSegmentMembers(  # type: ignore[override]
        self, request: pb.StreamSegmentMembersRequest, _: Call
    ) -> AsyncIterator[bytes]:
        app_id, reference = request.application_id, target_from_proto(request.reference)
        found = await self._compiler.stored(app_id, reference, self._now())
        part = Part(request.cursor, request.shard, request.shard_count)
        async with aclosing(self._audience.stream(app_id, found.asked, part)) as batches:
            async for batch in batches:
                yield batch

    async def ExplainMembership(
        self, request: pb.ExplainMembershipRequest, _: Call
    ) -> pb.ExplainMembershipResponse:
        app_id, reference = request.application_id, target_from_proto(request.reference)
        found = await self._compiler.stored(app_id, reference, self._now())
        told = await self._audience.explain(app_id, found.asked, request.endpoint_id)
        told = reworded(told, found.asked)
        return pb.ExplainMembershipResponse(
            member=told.admitted,
            findings=[
                audience_service_pb2.FilterFinding(
                    path=one.path, description=one.description, holds=one.holds, seen=one.seen
                )
                for one in told.findings
            ],
        )

    async def _target(self, request: pb.EstimateSegmentRequest) -> Filter:
        now = self._now()
        kind = request.WhichOneof("target")
        if kind == "reference":
            reference = target_from_proto(request.reference)
            return (await self._compiler.stored(request.application_id, reference, now)).asked
        if kind == "definition":
            segment = segment_from_proto(request.definition, request.application_id, now)
            return await self._compiler.unsaved(segment, now)
        raise InvalidFields([Violation("target", "a reference or a definition is missing")])

    def _now(self) -> datetime:
        # As fine as the store keeps it: what is read back equals what was answered.
        now = self._clock.now()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
