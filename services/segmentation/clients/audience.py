"""Endpoints: how many a filter admits, which ones, and why one of them."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import audience_service_pb2 as pb
from touchpoint.endpoints.v1 import audience_service_pb2_grpc as rpc

from libs.timestamps import from_timestamp
from services.segmentation.clients.filters import filter_to_proto
from services.segmentation.domain.explanation import Explanation, Finding
from services.segmentation.domain.filters import Filter

_STREAM: Final = "/touchpoint.endpoints.v1.AudienceService/StreamAudience"


@dataclass(frozen=True, slots=True)
class Count:
    """Endpoints a filter admits: all, reachable, and by channel name."""

    total: int
    eligible: int
    by_channel: Mapping[str, int]
    taken: datetime | None


@dataclass(frozen=True, slots=True)
class Part:
    """Which part of an audience is wanted: behind a cursor, and one of `count` shards."""

    cursor: str = ""
    shard: int = 0
    count: int = 0


class AudienceClient:
    """Calls AudienceService."""

    def __init__(self, channel: aio.Channel) -> None:
        self._stub = rpc.AudienceServiceStub(channel)
        # Without a deserializer: answers stay the bytes they came as.
        self._stream: Any = channel.unary_stream(
            _STREAM, request_serializer=pb.StreamAudienceRequest.SerializeToString
        )

    async def count(self, app_id: str, asked: Filter) -> Count:
        """How many endpoints the filter admits at the moment."""
        request = pb.CountAudienceRequest(application_id=app_id, filter=filter_to_proto(asked))
        answer = await self._stub.CountAudience(request)
        by_channel = {
            channel_pb2.ChannelType.Name(one.channel_type).removeprefix("CHANNEL_TYPE_"): one.count
            for one in answer.channel_counts
        }
        taken = from_timestamp(answer.count_time)
        return Count(answer.total_count, answer.eligible_count, by_channel, taken)

    async def stream(self, app_id: str, asked: Filter, part: Part) -> AsyncGenerator[bytes, None]:
        """Serialized StreamAudienceResponses, unread. Closing the iterator ends the call."""
        request = pb.StreamAudienceRequest(
            application_id=app_id,
            filter=filter_to_proto(asked),
            cursor=part.cursor,
            shard=part.shard,
            shard_count=part.count,
        )
        call = self._stream(request)
        try:
            async for batch in call:
                yield batch
        finally:
            call.cancel()

    async def explain(self, app_id: str, asked: Filter, endpoint_id: str) -> Explanation:
        """Which parts of the filter hold for the endpoint. NOT_FOUND when there is none."""
        request = pb.ExplainEndpointRequest(
            application_id=app_id, endpoint_id=endpoint_id, filter=filter_to_proto(asked)
        )
        answer = await self._stub.ExplainEndpoint(request)
        found = tuple(Finding(f.path, f.description, f.holds, f.seen) for f in answer.findings)
        return Explanation(answer.admitted, found)
