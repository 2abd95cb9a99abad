"""What push services say of tokens: dead ones make endpoints INACTIVE, new ones move them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.messaging.v1 import events_pb2

from libs.bus.publisher import Outgoing, Publisher, open_publisher
from libs.bus.topology import EVENTS
from libs.ids import new_id
from tests.integration.endpoints.conftest import Endpoints, eventually

GCM = channel_pb2.CHANNEL_TYPE_GCM
ACTIVE = endpoint_pb2.ENDPOINT_STATUS_ACTIVE
INACTIVE = endpoint_pb2.ENDPOINT_STATUS_INACTIVE


@pytest.fixture
async def bus(amqp_url: str) -> AsyncIterator[Publisher]:
    async with AsyncExitStack() as stack:
        yield await open_publisher(amqp_url, EVENTS, "tokens-test", stack)


async def refuse(bus: Publisher, app_id: str, *tokens: dict[str, Any]) -> None:
    told = events_pb2.TokensRefused(
        application_id=app_id,
        tokens=[events_pb2.RefusedToken(channel_type=GCM, **token) for token in tokens],
    )
    name = events_pb2.TokensRefused.DESCRIPTOR.full_name
    body = told.SerializeToString()
    await bus.publish([Outgoing("messaging.tokens_refused", body, name, new_id())])


async def test_a_dead_token_makes_its_endpoint_inactive_and_no_other(
    service: Endpoints, bus: Publisher, app_id: str
) -> None:
    await service.put(app_id, "Gone", channel_type=GCM, address="dead")
    await service.put(app_id, "moved-on", channel_type=GCM, address="fresh")
    await refuse(
        bus,
        app_id,
        {"endpoint_id": "moved-on", "address": "dead-long-ago"},
        {"endpoint_id": "nobody", "address": "x"},
        {"endpoint_id": "gone", "address": "dead"},
    )

    async def is_inactive() -> bool:
        return (await service.get(app_id, "Gone")).endpoint_status == INACTIVE

    await eventually(is_inactive)
    other = await service.get(app_id, "moved-on")
    assert (other.endpoint_status, other.address) == (ACTIVE, "fresh")


async def test_a_new_token_takes_the_place_of_the_old(
    service: Endpoints, bus: Publisher, app_id: str
) -> None:
    await service.put(app_id, "phone", channel_type=GCM, address="old")
    told = {"endpoint_id": "phone", "address": "old", "new_address": "new"}
    await refuse(bus, app_id, told)
    await refuse(bus, app_id, told)

    async def has_moved() -> bool:
        return (await service.get(app_id, "phone")).address == "new"

    await eventually(has_moved)
    assert (await service.get(app_id, "phone")).endpoint_status == ACTIVE


async def test_an_endpoint_whose_device_registered_the_new_token_itself_is_a_double(
    service: Endpoints, bus: Publisher, app_id: str
) -> None:
    await service.put(app_id, "old-install", channel_type=GCM, address="old")
    await service.put(app_id, "new-install", channel_type=GCM, address="new")
    await refuse(
        bus, app_id, {"endpoint_id": "old-install", "address": "old", "new_address": "new"}
    )

    async def is_inactive() -> bool:
        return (await service.get(app_id, "old-install")).endpoint_status == INACTIVE

    await eventually(is_inactive)
    kept = await service.get(app_id, "new-install")
    assert (kept.endpoint_status, kept.address) == (ACTIVE, "new")
