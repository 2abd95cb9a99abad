"""Endpoints: the members of a run's audience from any cursor, and the audiences of one endpoint."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

import grpc
from grpc import aio
from touchpoint.endpoints.v1 import audience_service_pb2 as pb
from touchpoint.endpoints.v1 import audience_service_pb2_grpc as rpc
from touchpoint.endpoints.v1 import endpoint_filter_pb2, endpoint_pb2

from libs.errors import ResourceNotFound
from services.campaigns.domain.activity import Shard


@dataclass(frozen=True, slots=True)
class Batch:
    """Members as they came over the wire, and the cursor after the last of them."""

    wire: pb.StreamAudienceResponse

    @property
    def cursor(self) -> str:
        return self.wire.cursor


@dataclass(frozen=True, slots=True)
class Question:
    """Several audiences in as few requests as the endpoints service takes them in."""

    parts: Sequence[tuple[endpoint_filter_pb2.EndpointFilter, int]]


@dataclass(frozen=True, slots=True)
class Standing:
    """An endpoint, and whether each audience of a question admits it, in their order."""

    cohort: int
    opted_out: bool
    admitted: Sequence[bool]


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

    async def standing(self, app_id: str, endpoint_id: str, question: Question) -> Standing:
        """Which audiences an endpoint is in. Raises ResourceNotFound for an unknown endpoint."""
        asked = [self._explained(app_id, endpoint_id, part) for part, _ in question.parts]
        answers = await asyncio.gather(*asked)
        endpoint = answers[0].endpoint
        return Standing(
            int(endpoint.cohort_id),
            endpoint.opt_out == endpoint_pb2.OPT_OUT_ALL,
            [
                one
                for answer, (_, count) in zip(answers, question.parts, strict=True)
                for one in _admitted(answer, count)
            ],
        )

    async def endpoint(self, app_id: str, endpoint_id: str) -> pb.AudienceMember:
        """An endpoint as a member of an audience. Raises ResourceNotFound for an unknown one."""
        part, _ = question(()).parts[0]
        found = (await self._explained(app_id, endpoint_id, part)).endpoint
        return pb.AudienceMember(
            endpoint_id=endpoint_id,
            channel_type=found.channel_type,
            address=found.address,
            user_id=found.user.user_id,
            opted_out=found.opt_out == endpoint_pb2.OPT_OUT_ALL,
            inactive=found.endpoint_status == endpoint_pb2.ENDPOINT_STATUS_INACTIVE,
            endpoint=found.SerializeToString(),
        )

    async def few(self, app_id: str, audience: bytes, most: int) -> list[pb.AudienceMember]:
        """Members of an audience, up to `most` and some more."""
        members: list[pb.AudienceMember] = []
        stream = self.stream(app_id, audience, Shard("", 0, 1))
        async with aclosing(stream):
            async for batch in stream:
                members += batch.wire.members
                if len(members) > most:
                    break
        return members

    async def _explained(
        self, app_id: str, endpoint_id: str, part: endpoint_filter_pb2.EndpointFilter
    ) -> pb.ExplainEndpointResponse:
        request = pb.ExplainEndpointRequest(
            application_id=app_id, endpoint_id=endpoint_id, filter=part
        )
        try:
            return await self._stub.ExplainEndpoint(request)
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise ResourceNotFound("endpoint", endpoint_id) from error
            raise


_MOST_NODES: Final = 4900  # the endpoints service takes 5,000, the group around them among them
_GROUPS: Final = ("all_of", "any_of", "none_of")


def question(audiences: Sequence[bytes]) -> Question:
    """One question about compiled audiences; about none, it only asks for the endpoint."""
    parts: list[tuple[endpoint_filter_pb2.EndpointFilter, int]] = []
    group: list[endpoint_filter_pb2.EndpointFilter] = []
    nodes = 0
    for audience in audiences:
        one = endpoint_filter_pb2.EndpointFilter.FromString(audience)
        size = sum(1 for _ in _nodes(one))
        if group and nodes + size > _MOST_NODES:
            parts.append(_part(group))
            group, nodes = [], 0
        group.append(one)
        nodes += size
    return Question([*parts, _part(group)])


def _part(
    filters: Sequence[endpoint_filter_pb2.EndpointFilter],
) -> tuple[endpoint_filter_pb2.EndpointFilter, int]:
    """One audience is asked for as it is: the group around it might make it too large."""
    if len(filters) == 1:
        return filters[0], 1
    any_of = endpoint_filter_pb2.FilterGroup(filters=filters)
    return endpoint_filter_pb2.EndpointFilter(any_of=any_of), len(filters)


def _nodes(
    root: endpoint_filter_pb2.EndpointFilter,
) -> Iterator[endpoint_filter_pb2.EndpointFilter]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if (kind := node.WhichOneof("node")) in _GROUPS:
            waiting.extend(getattr(node, kind).filters)


def _admitted(answer: pb.ExplainEndpointResponse, count: int) -> list[bool]:
    """Whether each audience of a part holds: what is found at the children of its root."""
    if count == 1:
        return [answer.admitted]
    holds = {one.path: one.holds for one in answer.findings}
    return [holds[str(number)] for number in range(count)]
