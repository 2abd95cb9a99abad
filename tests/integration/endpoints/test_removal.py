"""Attributes that are taken off: not collected any more, and swept from what is stored."""

import asyncio
from typing import Any

import pytest
from grpc import aio
from pymongo import MongoClient
from touchpoint.common.v1.channel_pb2 import CHANNEL_TYPE_EMAIL
from touchpoint.endpoints.v1 import endpoint_pb2 as resource
from touchpoint.endpoints.v1 import endpoints_service_pb2 as pb

from libs.ids import new_id
from tests.integration.endpoints.conftest import Endpoints, eventually
from tests.support.running import refusal

CUSTOM = pb.ATTRIBUTE_TYPE_ENDPOINT_CUSTOM_ATTRIBUTES
METRICS = pb.ATTRIBUTE_TYPE_ENDPOINT_METRIC_ATTRIBUTES
USER = pb.ATTRIBUTE_TYPE_ENDPOINT_USER_ATTRIBUTES


async def _put(service: Endpoints, app_id: str, number: int) -> resource.Endpoint:
    made = resource.Endpoint(
        address=f"removal-{number}@example.com",
        channel_type=CHANNEL_TYPE_EMAIL,
        metrics={"spend": 1, "old_spend": 2},
    )
    for name in ("plan", "old_plan", "old_city"):
        made.attributes[name].values.append("x")
    made.user.user_id = f"user-{number}"
    made.user.user_attributes["old_plan"].values.append("x")
    fields = {field.name: value for field, value in made.ListFields()}
    return await service.put(app_id, f"endpoint-{number}", **fields)


async def _remove(
    service: Endpoints, app_id: str, kind: Any, *globs: str
) -> pb.RemoveAttributesResponse:
    request = pb.RemoveAttributesRequest(
        application_id=app_id, attribute_type=kind, blacklist=globs
    )
    answer: pb.RemoveAttributesResponse = await service.endpoints.RemoveAttributes(request)
    return answer


async def _swept(mongo_uri: str, prefix: str, app_id: str) -> None:
    with MongoClient[dict[str, Any]](mongo_uri) as mongo:
        removals = mongo[f"{prefix}endpoints"]["removals"]

        async def done() -> bool:
            found = await asyncio.to_thread(removals.find_one, {"_id": app_id})
            return found is not None and "lease_until" not in found

        await eventually(done)


async def test_what_is_removed_goes_and_is_not_collected_again(
    service: Endpoints, app_id: str, mongo_uri: str, database_prefix: str
) -> None:
    for number in range(3):
        await _put(service, app_id, number)
    other = new_id()
    await _put(service, other, 9)
    told = await _remove(service, app_id, CUSTOM, "old_*")
    assert list(told.attributes) == ["old_*"]
    # What is stored goes with the sweep; nothing new comes in from now on.
    fresh = await _put(service, app_id, 4)
    assert set(fresh.attributes) == {"plan"}
    await _swept(mongo_uri, database_prefix, app_id)
    for number in (0, 1, 2, 4):
        found = await service.get(app_id, f"endpoint-{number}")
        assert set(found.attributes) == {"plan"}
        assert set(found.metrics) == {"spend", "old_spend"}
        assert set(found.user.user_attributes) == {"old_plan"}
    untouched = await service.get(other, "endpoint-9")
    assert set(untouched.attributes) == {"plan", "old_plan", "old_city"}


async def test_kinds_add_up_and_a_second_order_sweeps_again(
    service: Endpoints, app_id: str, mongo_uri: str, database_prefix: str
) -> None:
    await _put(service, app_id, 0)
    await _remove(service, app_id, METRICS, "old_spend")
    both = await _remove(service, app_id, METRICS, "spend")
    assert set(both.attributes) == {"old_spend", "spend"}
    await _remove(service, app_id, USER, "*")
    await _swept(mongo_uri, database_prefix, app_id)
    found = await service.get(app_id, "endpoint-0")
    assert (dict(found.metrics), dict(found.user.user_attributes)) == ({}, {})
    assert found.user.user_id == "user-0"
    assert len(found.attributes) == 3


async def test_removed_names_make_room_for_others(
    service: Endpoints, app_id: str, mongo_uri: str, database_prefix: str
) -> None:
    many = {f"m{number}": 1.0 for number in range(250)}
    await service.put(app_id, "full", metrics=many, channel_type=CHANNEL_TYPE_EMAIL)
    with pytest.raises(aio.AioRpcError):
        await service.put(app_id, "full", metrics={"one_more": 1})
    await _remove(service, app_id, METRICS, "m1*")
    await _swept(mongo_uri, database_prefix, app_id)
    found = await service.put(app_id, "full", metrics={"one_more": 1})
    assert "one_more" in found.metrics
    assert "m1" not in found.metrics


async def test_every_bad_field_is_named(service: Endpoints, app_id: str) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await _remove(service, app_id, 0, "", "fine")
    assert refusal(caught.value).fields == {"attribute_type", "blacklist[0]"}
