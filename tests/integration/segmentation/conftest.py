"""Segmentation beside the real endpoints and applications services, a set for each module."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from touchpoint.applications.v1 import applications_service_pb2 as applications_pb
from touchpoint.applications.v1 import applications_service_pb2_grpc as applications_rpc
from touchpoint.endpoints.v1 import endpoint_pb2 as resource
from touchpoint.endpoints.v1 import endpoints_service_pb2 as endpoints_pb
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as endpoints_rpc
from touchpoint.endpoints.v1 import import_service_pb2 as import_pb
from touchpoint.endpoints.v1 import import_service_pb2_grpc as import_rpc
from touchpoint.segmentation.v1 import segment_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2 as pb
from touchpoint.segmentation.v1 import segmentation_service_pb2_grpc as rpc

from libs.clock import FakeClock
from libs.ids import new_id
from services.applications.config import Settings as ApplicationsSettings
from services.applications.setup import setup as applications_setup
from services.endpoints.config import Settings as EndpointsSettings
from services.endpoints.setup import setup as endpoints_setup
from services.segmentation.config import Settings
from services.segmentation.setup import setup
from tests.support.running import PEER_TOKEN, Running, common, running
from tests.support.segment_meaning import NOW


@dataclass(frozen=True)
class Desk:
    """The three services, spoken to as a peer; segmentation's clock stands at NOW."""

    applications: Running
    endpoints: Running
    service: Running

    @property
    def stub(self) -> Any:
        return rpc.SegmentationServiceStub(self.service.channel)

    async def application(self, timezone: str = "") -> str:
        stub: Any = applications_rpc.ApplicationsServiceStub(self.applications.channel)
        made = await stub.CreateApplication(applications_pb.CreateApplicationRequest(name="Shop"))
        app_id: str = made.application.application_id
        if timezone:
            change = applications_pb.UpdateApplicationSettingsRequest(application_id=app_id)
            change.settings.timezone = timezone
            await stub.UpdateApplicationSettings(change)
        return app_id

    async def put(self, app_id: str, endpoints: Iterable[resource.Endpoint]) -> None:
        stub: Any = endpoints_rpc.EndpointsServiceStub(self.endpoints.channel)
        waiting = list(endpoints)
        while waiting:
            batch, waiting = waiting[:100], waiting[100:]
            request = endpoints_pb.BatchUpdateEndpointsRequest(
                application_id=app_id, endpoints=batch
            )
            answer = await stub.BatchUpdateEndpoints(request)
            assert {one.status_code for one in answer.results} == {202}, answer

    async def import_segment(self, app_id: str, segment_id: str, endpoint_ids: list[str]) -> None:
        """Import a list of known endpoints as a segment."""
        definition = import_pb.ImportJobDefinition(
            application_id=app_id,
            format=import_pb.IMPORT_FORMAT_CSV,
            define_segment=True,
            segment_name=f"List {segment_id}",
            segment_id=segment_id,
        )
        chunk = "\n".join(["Id", *endpoint_ids, ""]).encode()
        stub: Any = import_rpc.ImportServiceStub(self.endpoints.channel)
        pieces = [
            import_pb.CreateImportJobRequest(definition=definition),
            import_pb.CreateImportJobRequest(chunk=chunk),
        ]
        # The chassis's client interceptors dress unary requests only.
        metadata = (("authorization", f"Peer {PEER_TOKEN}"),)
        await stub.CreateImportJob(iter(pieces), metadata=metadata)

    async def create(self, app_id: str, segment: segment_pb2.Segment) -> segment_pb2.Segment:
        request = pb.CreateSegmentRequest(application_id=app_id, segment=segment)
        answer: pb.CreateSegmentResponse = await self.stub.CreateSegment(request)
        return answer.segment

    async def members(self, app_id: str, segment_id: str, **more: Any) -> list[str]:
        reference = segment_pb2.SegmentReference(segment_id=segment_id)
        request = pb.StreamSegmentMembersRequest(application_id=app_id, reference=reference, **more)
        return [
            member.endpoint_id
            async for batch in self.stub.StreamSegmentMembers(request)
            for member in batch.members
        ]


@pytest.fixture(scope="module")
async def desk(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Desk]:
    shared = common(mongo_uri, amqp_url, database_prefix)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        applications = await enter(running(ApplicationsSettings(**shared), applications_setup))
        endpoints = await enter(running(EndpointsSettings(**shared), endpoints_setup))
        settings = Settings(
            **shared,
            endpoints_addr=endpoints.address,
            applications_addr=applications.address,
        )
        service = await enter(
            running(settings, lambda given, opened: setup(given, opened, FakeClock(NOW)))
        )
        yield Desk(applications, endpoints, service)


@pytest.fixture
def app_id() -> str:
    """Name an application of the test's own; segmentation asks nobody whether it exists."""
    return new_id()
