"""Campaigns beside the services they call, all real but for the templates, a set a module."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from grpc import aio
from touchpoint.applications.v1 import applications_service_pb2 as applications_pb
from touchpoint.applications.v1 import applications_service_pb2_grpc as applications_rpc
from touchpoint.campaigns.v1 import campaign_pb2, in_app_service_pb2, in_app_service_pb2_grpc
from touchpoint.campaigns.v1 import campaigns_service_pb2 as pb
from touchpoint.campaigns.v1 import campaigns_service_pb2_grpc as rpc
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.endpoints.v1 import endpoints_service_pb2 as endpoints_pb
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as endpoints_rpc
from touchpoint.messaging.v1 import (
    channels_service_pb2_grpc,
    dispatch_service_pb2_grpc,
    messaging_service_pb2_grpc,
)
from touchpoint.segmentation.v1 import segment_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2 as segmentation_pb
from touchpoint.segmentation.v1 import segmentation_service_pb2_grpc as segmentation_rpc
from touchpoint.templates.v1 import template_pb2
from touchpoint.templates.v1 import templates_service_pb2 as templates_pb

from libs.clock import FakeClock
from libs.mongo.client import new_client
from services.applications.config import Settings as ApplicationsSettings
from services.applications.setup import setup as applications_setup
from services.campaigns.config import Settings
from services.campaigns.setup import setup
from services.endpoints.config import Settings as EndpointsSettings
from services.endpoints.setup import setup as endpoints_setup
from services.messaging.config import Settings as MessagingSettings
from services.messaging.setup.gateway import setup_gateway
from services.segmentation.config import Settings as SegmentationSettings
from services.segmentation.setup import setup as segmentation_setup
from tests.integration.messaging.gateway_support import Gateway
from tests.support.running import Running, common, running


@dataclass
class Shelf:
    """Templates by kind and name, over a real server."""

    templates: dict[tuple[int, str], template_pb2.Template] = field(default_factory=dict)

    def put(self, template: template_pb2.Template) -> None:
        self.templates[template.template_type, template.template_name] = template

    async def get(
        self, request: templates_pb.GetTemplateRequest, context: Any
    ) -> templates_pb.GetTemplateResponse:
        found = self.templates.get((request.template_type, request.template_name))
        if found is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, request.template_name)
        return templates_pb.GetTemplateResponse(template=found)

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server needs to answer GetTemplate."""
        method = grpc.unary_unary_rpc_method_handler(
            self.get,
            request_deserializer=templates_pb.GetTemplateRequest.FromString,
            response_serializer=templates_pb.GetTemplateResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(
            "touchpoint.templates.v1.TemplatesService", {"GetTemplate": method}
        )


@dataclass(frozen=True)
class Shop:
    """The services, spoken to as a peer. The clock of campaigns moves when a test says so."""

    applications: Running
    endpoints: Running
    segmentation: Running
    campaigns: Running
    gateway: Gateway
    shelf: Shelf
    clock: FakeClock
    settings: Settings

    @property
    def stub(self) -> Any:
        return rpc.CampaignsServiceStub(self.campaigns.channel)

    async def application(self) -> str:
        stub: Any = applications_rpc.ApplicationsServiceStub(self.applications.channel)
        made = await stub.CreateApplication(applications_pb.CreateApplicationRequest(name="Shop"))
        app_id: str = made.application.application_id
        return app_id

    async def put(self, app_id: str, *endpoints: endpoint_pb2.Endpoint) -> None:
        stub: Any = endpoints_rpc.EndpointsServiceStub(self.endpoints.channel)
        request = endpoints_pb.BatchUpdateEndpointsRequest(
            application_id=app_id, endpoints=endpoints
        )
        answer = await stub.BatchUpdateEndpoints(request)
        assert {one.status_code for one in answer.results} == {202}, answer

    async def segment(self, app_id: str, **dimensions: Any) -> str:
        stub: Any = segmentation_rpc.SegmentationServiceStub(self.segmentation.channel)
        segment = segment_pb2.Segment(
            name="S", dimensions=segment_pb2.SegmentDimensions(**dimensions)
        )
        request = segmentation_pb.CreateSegmentRequest(application_id=app_id, segment=segment)
        made = (await stub.CreateSegment(request)).segment
        segment_id: str = made.segment_id
        return segment_id

    async def create(self, app_id: str, campaign: campaign_pb2.Campaign) -> campaign_pb2.Campaign:
        request = pb.CreateCampaignRequest(application_id=app_id, campaign=campaign)
        answer: pb.CreateCampaignResponse = await self.stub.CreateCampaign(request)
        return answer.campaign

    async def get(self, app_id: str, campaign_id: str) -> campaign_pb2.Campaign:
        request = pb.GetCampaignRequest(application_id=app_id, campaign_id=campaign_id)
        answer: pb.GetCampaignResponse = await self.stub.GetCampaign(request)
        return answer.campaign

    async def shown(
        self, app_id: str, endpoint_id: str, channel: aio.Channel | None = None
    ) -> list[in_app_service_pb2.InAppMessageCampaign]:
        stub: Any = in_app_service_pb2_grpc.InAppServiceStub(channel or self.campaigns.channel)
        answer = await stub.GetInAppMessages(
            in_app_service_pb2.GetInAppMessagesRequest(
                application_id=app_id, endpoint_id=endpoint_id
            )
        )
        return list(answer.in_app_message_campaigns)


@pytest.fixture(scope="module")
async def shop(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Shop]:
    shared = common(mongo_uri, amqp_url, database_prefix)
    clock, shelf = FakeClock(datetime.now(UTC)), Shelf()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        applications = await enter(running(ApplicationsSettings(**shared), applications_setup))
        endpoints = await enter(running(EndpointsSettings(**shared), endpoints_setup))
        peers: dict[str, Any] = {
            "endpoints_addr": endpoints.address,
            "applications_addr": applications.address,
            "templates_addr": await _served(shelf, stack),
        }
        segmentation = await enter(
            running(SegmentationSettings(**shared, **peers), segmentation_setup)
        )
        messaging = await enter(running(MessagingSettings(**shared), setup_gateway))
        settings = Settings(
            **shared,
            **peers,
            segmentation_addr=segmentation.address,
            messaging_addr=messaging.address,
            poll_seconds=0.02,
            in_app_kept_seconds=0.001,
            webhook_allowed_hosts="127.0.0.1",
        )
        campaigns = await enter(running(settings, lambda had, opened: setup(had, opened, clock)))
        gateway = _gateway(messaging, stack, settings)
        yield Shop(
            applications, endpoints, segmentation, campaigns, gateway, shelf, clock, settings
        )
        await gateway.published()  # no worker takes it, and the broker is shared


def _gateway(messaging: Running, stack: AsyncExitStack, settings: Settings) -> Gateway:
    client = new_client(settings.mongo_uri.get_secret_value(), "campaigns-tests")
    stack.callback(client.close)
    return Gateway(
        messaging_service_pb2_grpc.MessagingServiceStub(messaging.channel),
        dispatch_service_pb2_grpc.DispatchServiceStub(messaging.channel),
        channels_service_pb2_grpc.ChannelsServiceStub(messaging.channel),
        client.get_database(f"{settings.database_prefix}messaging"),
        settings.amqp_url.get_secret_value(),
        messaging.channel,
    )


async def _served(shelf: Shelf, stack: AsyncExitStack) -> str:
    server = aio.server()
    server.add_generic_rpc_handlers((shelf.handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stack.push_async_callback(server.stop, None)
    return f"127.0.0.1:{port}"
