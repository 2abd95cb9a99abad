"""Segmentation: whether a segment exists, whom it means now, and how many that is."""

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.segmentation.v1 import segment_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2 as pb
from touchpoint.segmentation.v1 import segmentation_service_pb2_grpc as rpc


@dataclass(frozen=True, slots=True)
class Estimate:
    """Members of a segment: all, reachable, and by channel name."""

    total: int
    eligible: int
    by_channel: Mapping[str, int]


class SegmentsClient:
    """Calls SegmentationService."""

    def __init__(self, channel: aio.Channel) -> None:
        self._stub = rpc.SegmentationServiceStub(channel)

    async def exists(self, app_id: str, segment_id: str, version: int) -> bool:
        """Whether there is such a segment (version 0: any)."""
        request = pb.GetSegmentRequest(
            application_id=app_id, segment_id=segment_id, version=version
        )
        try:
            await self._stub.GetSegment(request)
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            raise
        return True

    async def compile(self, app_id: str, segment_id: str, version: int) -> bytes | None:
        """The segment as a serialized filter over endpoints; None when it is gone."""
        request = pb.CompileSegmentRequest(
            application_id=app_id, reference=_reference(segment_id, version)
        )
        try:
            answer = await self._stub.CompileSegment(request)
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        return answer.filter.SerializeToString()

    async def estimate(self, app_id: str, segment_id: str, version: int) -> Estimate:
        """How many the segment means now."""
        request = pb.EstimateSegmentRequest(
            application_id=app_id, reference=_reference(segment_id, version)
        )
        answer = await self._stub.EstimateSegment(request)
        by_channel = {
            channel_pb2.ChannelType.Name(c.channel_type).removeprefix("CHANNEL_TYPE_"): int(
                c.total_count
            )
            for c in answer.channels
        }
        return Estimate(answer.total_count, answer.eligible_count, by_channel)


def _reference(segment_id: str, version: int) -> segment_pb2.SegmentReference:
    return segment_pb2.SegmentReference(segment_id=segment_id, version=version)
