"""One endpoints service for each test module, and stubs to it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from touchpoint.endpoints.v1 import audience_service_pb2 as audience_pb
from touchpoint.endpoints.v1 import audience_service_pb2_grpc as audience_rpc
from touchpoint.endpoints.v1 import endpoint_filter_pb2 as filters
from touchpoint.endpoints.v1 import endpoint_pb2 as resource
from touchpoint.endpoints.v1 import endpoints_service_pb2 as pb
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as endpoints_rpc
from touchpoint.endpoints.v1 import import_service_pb2 as import_pb
from touchpoint.endpoints.v1 import import_service_pb2_grpc as import_rpc

from services.endpoints.config import Settings
from services.endpoints.setup import setup
from tests.support.running import PEER_TOKEN, Running, common, running

PEER = (("authorization", f"Peer {PEER_TOKEN}"),)


@dataclass(frozen=True)
class Endpoints:
    """A running service, spoken to as a peer."""

    service: Running

    @property
    def endpoints(self) -> Any:
        return endpoints_rpc.EndpointsServiceStub(self.service.channel)

    @property
    def audience(self) -> Any:
        return audience_rpc.AudienceServiceStub(self.service.channel)

    @property
    def imports(self) -> Any:
        return import_rpc.ImportServiceStub(self.service.channel)

    async def put(self, app_id: str, endpoint_id: str, **fields: Any) -> resource.Endpoint:
        endpoint = resource.Endpoint(endpoint_id=endpoint_id, **fields)
        request = pb.UpdateEndpointRequest(application_id=app_id, endpoint=endpoint)
        answer: pb.UpdateEndpointResponse = await self.endpoints.UpdateEndpoint(request)
        return answer.endpoint

    async def get(self, app_id: str, endpoint_id: str) -> resource.Endpoint:
        request = pb.GetEndpointRequest(application_id=app_id, endpoint_id=endpoint_id)
        answer: pb.GetEndpointResponse = await self.endpoints.GetEndpoint(request)
        return answer.endpoint

    async def stream(
        self, app_id: str, asked: filters.EndpointFilter | None = None, **more: Any
    ) -> list[audience_pb.StreamAudienceResponse]:
        request = audience_pb.StreamAudienceRequest(application_id=app_id, filter=asked, **more)
        return [batch async for batch in self.audience.StreamAudience(request)]

    async def ids(
        self, app_id: str, asked: filters.EndpointFilter | None = None, **more: Any
    ) -> list[str]:
        batches = await self.stream(app_id, asked, **more)
        return [member.endpoint_id for batch in batches for member in batch.members]

    async def count(
        self, app_id: str, asked: filters.EndpointFilter | None = None
    ) -> audience_pb.CountAudienceResponse:
        request = audience_pb.CountAudienceRequest(application_id=app_id, filter=asked)
        answer: audience_pb.CountAudienceResponse = await self.audience.CountAudience(request)
        return answer

    async def job(self, app_id: str, job_id: str) -> import_pb.ImportJob:
        request = import_pb.GetImportJobRequest(application_id=app_id, job_id=job_id)
        answer: import_pb.GetImportJobResponse = await self.imports.GetImportJob(request)
        return answer.import_job

    async def upload(
        self, definition: import_pb.ImportJobDefinition, data: bytes, chunk: int = 700_001
    ) -> import_pb.ImportJob:
        async def pieces() -> AsyncIterator[import_pb.CreateImportJobRequest]:
            yield import_pb.CreateImportJobRequest(definition=definition)
            for start in range(0, len(data), chunk):
                yield import_pb.CreateImportJobRequest(chunk=data[start : start + chunk])

        # The chassis's client interceptors dress unary requests only.
        answer: import_pb.CreateImportJobResponse = await self.imports.CreateImportJob(
            pieces(), metadata=PEER
        )
        return answer.import_job


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Return once `check` is true, asked every 20 ms until the deadline."""
    async with asyncio.timeout(seconds):
        while True:
            if await check():
                return
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
async def service(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Endpoints]:
    given = common(mongo_uri, amqp_url, database_prefix)
    settings = Settings(**given, import_allowed_hosts="127.0.0.1", import_lease_seconds=4)
    async with running(settings, setup) as process:
        yield Endpoints(process)


@pytest.fixture
def app_id() -> str:
    """An application nobody else uses."""
    return uuid.uuid4().hex
