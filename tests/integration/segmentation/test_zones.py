"""Time zones of applications, asked for at most twice a minute."""

from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import grpc
import pytest
from grpc import aio
from touchpoint.applications.v1 import applications_service_pb2 as pb
from touchpoint.segmentation.v1 import segment_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2 as segmentation_pb
from touchpoint.segmentation.v1 import segmentation_service_pb2_grpc as rpc

from services.segmentation.clients.zones import ZonesClient
from services.segmentation.config import Settings
from services.segmentation.setup import setup
from tests.support.running import common, running

SERVICE = "touchpoint.applications.v1.ApplicationsService"
METHOD = "GetApplicationSettings"


class Applications:
    """Answers with one zone, and remembers who asked."""

    def __init__(self) -> None:
        self.timezone = "Asia/Tokyo"
        self.asked: list[str] = []

    async def settings(
        self, request: pb.GetApplicationSettingsRequest, _: Any
    ) -> pb.GetApplicationSettingsResponse:
        self.asked.append(request.application_id)
        answer = pb.GetApplicationSettingsResponse()
        answer.settings.timezone = self.timezone
        return answer


@pytest.fixture
async def applications() -> AsyncIterator[tuple[Applications, aio.Channel]]:
    servicer, server = Applications(), aio.server()
    handler = grpc.unary_unary_rpc_method_handler(
        servicer.settings,
        pb.GetApplicationSettingsRequest.FromString,
        pb.GetApplicationSettingsResponse.SerializeToString,
    )
    handlers = grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler})
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield servicer, channel
    await server.stop(None)


async def test_a_zone_is_remembered_for_half_a_minute(
    applications: tuple[Applications, aio.Channel],
) -> None:
    servicer, channel = applications
    seconds = 0.0
    zones = ZonesClient(channel, lambda: seconds)
    assert await zones.zone("a") == ZoneInfo("Asia/Tokyo")
    servicer.timezone = ""
    seconds = 29.9
    assert await zones.zone("a") == ZoneInfo("Asia/Tokyo")
    assert await zones.zone("b") == UTC
    seconds = 30.0
    assert await zones.zone("a") == UTC
    assert servicer.asked == ["a", "b", "a"]


async def test_without_an_applications_service_every_zone_is_utc() -> None:
    assert await ZonesClient(None).zone("a") == UTC


async def test_the_service_runs_without_an_applications_service(
    mongo_uri: str, amqp_url: str, database_prefix: str
) -> None:
    settings = Settings(**common(mongo_uri, amqp_url, database_prefix))
    async with running(settings, setup) as service:
        stub: Any = rpc.SegmentationServiceStub(service.channel)
        segment = segment_pb2.Segment(name="Today")
        criterion = segment.dimensions.attributes["Registered"]
        criterion.attribute_type = segment_pb2.AttributeDimension.ATTRIBUTE_TYPE_ON
        criterion.values.append("today")
        made = await stub.CreateSegment(
            segmentation_pb.CreateSegmentRequest(application_id="a" * 32, segment=segment)
        )
        reference = segment_pb2.SegmentReference(segment_id=made.segment.segment_id)
        answer = await stub.CompileSegment(
            segmentation_pb.CompileSegmentRequest(application_id="a" * 32, reference=reference)
        )
    test = answer.filter.instant
    assert test.start_time.seconds == answer.evaluation_time.seconds // 86400 * 86400
    assert test.end_time.seconds - test.start_time.seconds == 86400
