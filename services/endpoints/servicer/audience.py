"""Audience questions over RPC: how many, which ones, why."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from touchpoint.endpoints.v1 import audience_service_pb2 as pb
from touchpoint.endpoints.v1 import audience_service_pb2_grpc as rpc
from touchpoint.endpoints.v1 import endpoint_pb2 as resource

from libs.clock import Clock
from libs.errors import Violations
from libs.timestamps import to_timestamp
from services.endpoints.domain.evaluate import findings, matches
from services.endpoints.domain.identity import LONGEST_ID, PREFIXES, cursor_of, shard_range
from services.endpoints.servicer.decoding import application_of, filter_of
from services.endpoints.store.audience import AudienceStore
from services.endpoints.store.documents import CHANNEL_VALUES
from services.endpoints.store.endpoints import EndpointStore

Call = Any  # grpc.aio's context; nothing here needs it
DEFAULT_BATCH: Final = 1000
LARGEST_BATCH: Final = 5000


class AudienceServicer(rpc.AudienceServiceServicer):
    """Counts, streams and explains audiences."""

    def __init__(self, audience: AudienceStore, store: EndpointStore, clock: Clock) -> None:
        self._audience = audience
        self._store = store
        self._clock = clock

    async def CountAudience(
        self, request: pb.CountAudienceRequest, _: Call
    ) -> pb.CountAudienceResponse:
        asked = filter_of(request.filter)
        now = self._clock.now()
        tally = await self._audience.tally(application_of(request), asked)
        channels: dict[str, int] = {}
        for name, count in tally.items():
            channel = name.removesuffix("+")
            channels[channel] = channels.get(channel, 0) + count
        return pb.CountAudienceResponse(
            total_count=sum(tally.values()),
            eligible_count=sum(count for name, count in tally.items() if name.endswith("+")),
            channel_counts=[
                pb.ChannelCount(channel_type=CHANNEL_VALUES[name], count=count)  # type: ignore[arg-type]
                for name, count in sorted(channels.items())
            ],
            count_time=to_timestamp(now),
        )

    async def StreamAudience(
        self, request: pb.StreamAudienceRequest, _: Call
    ) -> AsyncIterator[pb.StreamAudienceResponse]:
        application_id, asked = application_of(request), filter_of(request.filter)
        _check_stream(request)
        ids = shard_range(application_id, request.shard, request.shard_count or 1, request.cursor)
        size = request.batch_size or DEFAULT_BATCH
        async for members in self._audience.members(ids, asked, size):
            last = pb.AudienceMember.FromString(members[-1])
            response = pb.StreamAudienceResponse.FromString(_framed(members))
            response.cursor = cursor_of(last.endpoint_id)
            yield response

    async def ExplainEndpoint(
        self, request: pb.ExplainEndpointRequest, _: Call
    ) -> pb.ExplainEndpointResponse:
        asked = filter_of(request.filter)
        stored, data = await self._store.get_stored(application_of(request), request.endpoint_id)
        return pb.ExplainEndpointResponse(
            admitted=matches(stored, asked),
            findings=[
                pb.FilterFinding(path=f.path, description=f.description, holds=f.holds, seen=f.seen)
                for f in findings(stored, asked)
            ],
            endpoint=resource.Endpoint.FromString(data),
        )


def _check_stream(request: pb.StreamAudienceRequest) -> None:
    found = Violations()
    count = request.shard_count or 1
    found.check(1 <= count <= PREFIXES, "shard_count", f"must be 0 to {PREFIXES}")
    found.check(0 <= request.shard < count, "shard", "must be below shard_count")
    fine = 0 <= request.batch_size <= LARGEST_BATCH
    found.check(fine, "batch_size", f"must be 0 to {LARGEST_BATCH}")
    found.check(len(request.cursor) <= LONGEST_ID + 3, "cursor", "is none of ours")
    found.raise_if_any()


def _lengths() -> tuple[bytes, ...]:
    # Field 1, length-delimited, then the length as a varint of up to two bytes: members are short.
    one = [bytes((0x0A, n)) for n in range(1 << 7)]
    two = [bytes((0x0A, n & 0x7F | 0x80, n >> 7)) for n in range(1 << 7, 1 << 14)]
    return (*one, *two)


_HEADS: Final = _lengths()


def _framed(members: Iterable[bytes]) -> bytes:
    """A StreamAudienceResponse of members that are serialized already, none of them read."""
    parts: list[bytes] = []
    for member in members:
        size = len(member)
        parts.append(_HEADS[size] if size < len(_HEADS) else _long_head(size))
        parts.append(member)
    return b"".join(parts)


def _long_head(size: int) -> bytes:
    head = bytearray((0x0A,))
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head)
