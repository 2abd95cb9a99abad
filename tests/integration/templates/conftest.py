"""The templates service, in this process."""

from collections.abc import AsyncIterator

import pytest
from touchpoint.templates.v1 import templates_service_pb2_grpc as rpc

from services.templates.config import Settings
from services.templates.setup import setup
from tests.support.running import common, running


@pytest.fixture(scope="module")
async def stub(
    mongo_uri: str, amqp_url: str, database_prefix: str
) -> AsyncIterator[rpc.TemplatesServiceStub]:
    settings = Settings(**common(mongo_uri, amqp_url, database_prefix))
    async with running(settings, setup) as service:
        yield rpc.TemplatesServiceStub(service.channel)
