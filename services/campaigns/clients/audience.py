"""Endpoints: the members of a run's audience, batch by batch, from any cursor."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from grpc import aio
from touchpoint.endpoints.v1 import audience_service_pb2 as pb
from touchpoint.endpoints.v1 import audience_service_pb2_grpc as rpc
from touchpoint.endpoints.v1 import endpoint_filter_pb2

from services.campaigns.domain.activity import Shard


@dataclass(frozen=True, slots=True)
class Batch:
    """Members as they came over the wire, and the cursor after the last of them."""

    wire: pb.StreamAudienceResponse

    @property
    def cursor(self) -> str:
        return self.wire.cursor


class AudienceClient:
    """Calls AudienceService."""

    def __init__(self, channel: aio.Channel, batch_size: int) -> None:
        self._stub = rpc.AudienceServiceStub(channel)
        self._batch_size = batch_size

    async def stream(
        self, app_id: str, audience: bytes, shard: Shard
    ) -> AsyncGenerator[Batch, None]:
        """The rest of a shard, from its cursor. Closing the iterator ends the call."""
        request = pb.StreamAudienceRequest(
            application_id=app_id,
            filter=endpoint_filter_pb2.EndpointFilter.FromString(audience),
            cursor=shard.cursor,
            shard=shard.number,
            shard_count=shard.count,
            batch_size=self._batch_size,
        )
        call = self._stub.StreamAudience(request)
        try:
            async for response in call:
                yield Batch(response)
        finally:
            call.cancel()
