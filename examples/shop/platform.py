"""The platform's services, as a program outside calls them: gRPC with an API key."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from grpc import aio
from touchpoint.analytics.v1.analytics_service_pb2_grpc import (
    AnalyticsServiceStub,
    EventsServiceStub,
)
from touchpoint.applications.v1.applications_service_pb2_grpc import ApplicationsServiceStub
from touchpoint.campaigns.v1.campaigns_service_pb2_grpc import CampaignsServiceStub
from touchpoint.endpoints.v1.import_service_pb2_grpc import ImportServiceStub
from touchpoint.messaging.v1.channels_service_pb2_grpc import ChannelsServiceStub
from touchpoint.messaging.v1.messaging_service_pb2_grpc import MessagingServiceStub
from touchpoint.segmentation.v1.segmentation_service_pb2_grpc import SegmentationServiceStub
from touchpoint.templates.v1.templates_service_pb2_grpc import TemplatesServiceStub

SERVICES: Final = (
    "applications",
    "endpoints",
    "segmentation",
    "templates",
    "campaigns",
    "messaging",
    "analytics",
)


@dataclass(frozen=True)
class Platform:
    """A stub for each service, and `key`, the metadata that every call carries."""

    channels: Mapping[str, aio.Channel]
    key: tuple[tuple[str, str], ...]

    @cached_property
    def applications(self) -> ApplicationsServiceStub:
        return ApplicationsServiceStub(self.channels["applications"])

    @cached_property
    def imports(self) -> ImportServiceStub:
        return ImportServiceStub(self.channels["endpoints"])

    @cached_property
    def segmentation(self) -> SegmentationServiceStub:
        return SegmentationServiceStub(self.channels["segmentation"])

    @cached_property
    def templates(self) -> TemplatesServiceStub:
        return TemplatesServiceStub(self.channels["templates"])

    @cached_property
    def campaigns(self) -> CampaignsServiceStub:
        return CampaignsServiceStub(self.channels["campaigns"])

    @cached_property
    def senders(self) -> ChannelsServiceStub:
        """Where the channels (how mail and texts leave) are set up."""
        return ChannelsServiceStub(self.channels["messaging"])

    @cached_property
    def messaging(self) -> MessagingServiceStub:
        return MessagingServiceStub(self.channels["messaging"])

    @cached_property
    def analytics(self) -> AnalyticsServiceStub:
        return AnalyticsServiceStub(self.channels["analytics"])

    @cached_property
    def events(self) -> EventsServiceStub:
        return EventsServiceStub(self.channels["analytics"])


@asynccontextmanager
async def connected(variables: Mapping[str, str]) -> AsyncIterator[Platform]:
    """Open a channel to every service named in the TOUCHPOINT_ variables."""
    key_id = variables["TOUCHPOINT_ACCESS_KEY_ID"]
    secret = variables["TOUCHPOINT_SECRET_ACCESS_KEY"]
    channels = {
        name: aio.insecure_channel(variables[f"TOUCHPOINT_GRPC_{name.upper()}"])
        for name in SERVICES
    }
    try:
        yield Platform(channels, (("authorization", f"Bearer {key_id}:{secret}"),))
    finally:
        for channel in channels.values():
            await channel.close()
