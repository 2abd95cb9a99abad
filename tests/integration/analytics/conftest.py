"""The analytics service on real servers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from grpc import aio
from touchpoint.analytics.v1 import analytics_service_pb2_grpc as rpc
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as endpoints_rpc

from libs.chassis.run import started
from services.analytics.setup import setup
from tests.integration.analytics.serving import Analytics, EndpointsDouble, settings_for


@pytest.fixture(scope="session")
async def endpoints_double() -> AsyncIterator[tuple[EndpointsDouble, str]]:
    double = EndpointsDouble()  # type: ignore[abstract]  # the one method that is called
    server = aio.server()
    endpoints_rpc.add_EndpointsServiceServicer_to_server(double, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield double, f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture(scope="module")
async def analytics(
    mongo_uri: str,
    amqp_url: str,
    database_prefix: str,
    endpoints_double: tuple[EndpointsDouble, str],
) -> AsyncIterator[Analytics]:
    double, address = endpoints_double
    settings = settings_for(mongo_uri, amqp_url, database_prefix, endpoints_addr=address)
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(started(settings, setup))
        channel = await stack.enter_async_context(aio.insecure_channel(process.address))
        yield Analytics(
            rpc.EventsServiceStub(channel), rpc.AnalyticsServiceStub(channel), settings, double
        )
