"""Endpoints and users over real RPCs, with real MongoDB and RabbitMQ."""

import asyncio
from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from touchpoint.common.v1.channel_pb2 import (
    CHANNEL_TYPE_APNS,
    CHANNEL_TYPE_EMAIL,
    CHANNEL_TYPE_GCM,
    CHANNEL_TYPE_SMS,
    StringList,
)
from touchpoint.endpoints.v1 import endpoint_pb2 as resource
from touchpoint.endpoints.v1 import endpoints_service_pb2 as pb

from tests.integration.endpoints.conftest import Endpoints
from tests.support.running import refusal

ACTIVE, INACTIVE = resource.ENDPOINT_STATUS_ACTIVE, resource.ENDPOINT_STATUS_INACTIVE


def texts(**given: list[str]) -> dict[str, StringList]:
    return {name: StringList(values=values) for name, values in given.items()}


def at(year: int) -> Timestamp:
    return Timestamp(seconds=int(datetime(year, 1, 1, tzinfo=UTC).timestamp()))


async def test_what_is_written_is_read_at_once_and_whole(service: Endpoints, app_id: str) -> None:
    written = await service.put(
        app_id,
        "Phone-1",
        address="+491701234567",
        channel_type=CHANNEL_TYPE_SMS,
        attributes=texts(Interests=["Music", "Books"], **{"a.b$c%": ["odd name"]}),
        metrics={"ltv": 12.5},
        demographic=resource.Demographic(app_version="2.10.1", timezone="Europe/Berlin"),
        location=resource.Location(country="DE", city="Berlin", latitude=52.5163, longitude=13.37),
        user=resource.User(user_id="u-1", user_attributes=texts(Tier=["gold"])),
    )
    read = await service.get(app_id, "PHONE-1")
    assert read == written
    assert read.endpoint_id == "Phone-1"
    assert (read.location.latitude, read.location.longitude) == (52.5, 13.4)
    assert list(read.attributes["a.b$c%"].values) == ["odd name"]
    assert read.opt_out == resource.OPT_OUT_NONE
    assert read.endpoint_status == ACTIVE
    assert read.application_id == app_id
    assert 0 <= int(read.cohort_id) <= 99
    assert read.creation_date == read.effective_date
    assert len(read.request_id) == 32


async def test_an_update_merges_and_keeps_what_it_does_not_name(
    service: Endpoints, app_id: str
) -> None:
    await service.put(
        app_id,
        "e",
        address="a@example.com",
        channel_type=CHANNEL_TYPE_EMAIL,
        attributes=texts(Plan=["pro"], Color=["red", "blue"]),
        metrics={"spend": 10},
        demographic=resource.Demographic(make="Acme", model="One"),
    )
    after = await service.put(
        app_id,
        "e",
        attributes=texts(Color=["green"], Plan=[]),
        metrics={"visits": 2},
        demographic=resource.Demographic(model="Two"),
        opt_out=resource.OPT_OUT_ALL,
    )
    assert {n: list(v.values) for n, v in after.attributes.items()} == {"Color": ["green"]}
    assert dict(after.metrics) == {"spend": 10, "visits": 2}
    assert (after.demographic.make, after.demographic.model) == ("Acme", "Two")
    assert after.address == "a@example.com"
    assert after.opt_out == resource.OPT_OUT_ALL
    assert (await service.put(app_id, "e")).opt_out == resource.OPT_OUT_ALL


async def test_every_bad_field_is_named_and_nothing_is_written(
    service: Endpoints, app_id: str
) -> None:
    with pytest.raises(aio.AioRpcError) as caught:
        await service.put(
            app_id,
            "bad{id}",
            attributes=texts(Plan=["x" * 101], **{"n" * 51: ["v"]}),
            metrics={"m": float("nan")},
            demographic=resource.Demographic(timezone="Mars/Olympus"),
            location=resource.Location(latitude=91),
        )
    told = refusal(caught.value)
    assert told.code == "INVALID_ARGUMENT"
    assert told.fields == {
        "endpoint.endpoint_id",
        "endpoint.attributes[Plan]",
        f"endpoint.attributes[{'n' * 50}]",
        "endpoint.metrics[m]",
        "endpoint.demographic.timezone",
        "endpoint.location.latitude",
    }
    assert (await service.count(app_id)).total_count == 0


async def test_an_endpoint_beyond_its_size_is_refused(service: Endpoints, app_id: str) -> None:
    values = texts(**{f"a{n}": ["x" * 100] * 50 for n in range(4)})
    with pytest.raises(aio.AioRpcError) as caught:
        await service.put(app_id, "big", attributes=values)
    assert refusal(caught.value).fields == {"endpoint.endpoint"}
    with pytest.raises(aio.AioRpcError) as gone:
        await service.get(app_id, "big")
    assert refusal(gone.value).reason == "RESOURCE_NOT_FOUND"


async def test_an_application_has_room_for_250_names(service: Endpoints, app_id: str) -> None:
    await service.put(app_id, "e", metrics={f"m{n}": n for n in range(249)})
    await service.put(app_id, "f", attributes=texts(last=["x"]))
    with pytest.raises(aio.AioRpcError) as caught:
        await service.put(app_id, "g", attributes=texts(beyond=["x"]))
    assert refusal(caught.value).fields == {"endpoint.attributes[beyond]"}
    await service.put(app_id, "h", attributes=texts(last=["y"]), metrics={"m7": 1})


async def test_a_batch_item_stands_alone(service: Endpoints, app_id: str) -> None:
    items = [
        resource.Endpoint(endpoint_id="one", metrics={"m": 1}),
        resource.Endpoint(endpoint_id="$bad"),
        resource.Endpoint(endpoint_id="ONE", metrics={"n": 2}),
    ]
    request = pb.BatchUpdateEndpointsRequest(application_id=app_id, endpoints=items)
    answer = await service.endpoints.BatchUpdateEndpoints(request)
    assert [r.status_code for r in answer.results] == [202, 400, 202]
    assert "endpoint_id" in answer.results[1].message
    assert dict((await service.get(app_id, "one")).metrics) == {"m": 1, "n": 2}
    too_many = pb.BatchUpdateEndpointsRequest(application_id=app_id, endpoints=[items[0]] * 101)
    with pytest.raises(aio.AioRpcError) as caught:
        await service.endpoints.BatchUpdateEndpoints(too_many)
    assert refusal(caught.value).fields == {"endpoints"}


async def test_a_newer_endpoint_of_an_address_makes_the_older_inactive(
    service: Endpoints, app_id: str
) -> None:
    await service.put(app_id, "old", address="token", channel_type=CHANNEL_TYPE_GCM)
    await service.put(app_id, "mail", address="token", channel_type=CHANNEL_TYPE_EMAIL)
    await service.put(app_id, "new", address="token", channel_type=CHANNEL_TYPE_APNS)
    assert (await service.get(app_id, "old")).endpoint_status == INACTIVE
    assert (await service.get(app_id, "new")).endpoint_status == ACTIVE
    assert (await service.get(app_id, "mail")).endpoint_status == ACTIVE
    await service.put(app_id, "old")  # a write makes it ACTIVE, so the address is its own again
    assert (await service.get(app_id, "old")).endpoint_status == ACTIVE
    assert (await service.get(app_id, "new")).endpoint_status == INACTIVE


async def test_one_of_many_who_want_an_address_at_once_gets_it(
    service: Endpoints, app_id: str
) -> None:
    await asyncio.gather(
        *(
            service.put(app_id, f"e{n}", address="a@example.com", channel_type=CHANNEL_TYPE_EMAIL)
            for n in range(8)
        )
    )
    states = [(await service.get(app_id, f"e{n}")).endpoint_status for n in range(8)]
    assert states.count(ACTIVE) == 1


async def test_user_attributes_are_the_same_on_all_endpoints_of_a_user(
    service: Endpoints, app_id: str
) -> None:
    user = resource.User(user_id="ana", user_attributes=texts(Tier=["gold"], City=["Rome"]))
    await service.put(app_id, "one", user=user)
    second = await service.put(app_id, "two", user=resource.User(user_id="ana"))
    assert list(second.user.user_attributes["Tier"].values) == ["gold"]
    change = resource.User(user_attributes=texts(Tier=["silver"], City=[]))
    await service.put(app_id, "two", user=change)
    first = await service.get(app_id, "one")
    known = {n: list(v.values) for n, v in first.user.user_attributes.items()}
    assert known == {"Tier": ["silver"]}


async def test_concurrent_writers_of_a_user_come_to_agree(service: Endpoints, app_id: str) -> None:
    async def write(n: int) -> None:
        user = resource.User(user_id="busy", user_attributes=texts(**{f"k{n}": [str(n)]}))
        await service.put(app_id, f"e{n}", user=user)

    await asyncio.gather(*(write(n) for n in range(10)))
    request = pb.GetUserEndpointsRequest(application_id=app_id, user_id="busy")
    found = (await service.endpoints.GetUserEndpoints(request)).endpoints
    assert len(found) == 10
    for endpoint in found:
        assert set(endpoint.user.user_attributes) == {f"k{n}" for n in range(10)}


async def test_concurrent_updates_of_one_endpoint_all_count(
    service: Endpoints, app_id: str
) -> None:
    await asyncio.gather(
        *(service.put(app_id, "hot", metrics={f"m{n}": float(n)}) for n in range(12))
    )
    assert set((await service.get(app_id, "hot")).metrics) == {f"m{n}" for n in range(12)}


async def test_a_full_user_loses_its_oldest_device_and_refuses_mail(
    service: Endpoints, app_id: str
) -> None:
    user = resource.User(user_id="full")
    for n in range(15):
        await service.put(
            app_id,
            f"d{n}",
            address=f"t{n}",
            channel_type=CHANNEL_TYPE_GCM,
            user=user,
            effective_date=at(2000 + (n - 3) % 15),
        )
    with pytest.raises(aio.AioRpcError) as caught:
        await service.put(app_id, "mail", channel_type=CHANNEL_TYPE_EMAIL, user=user)
    assert refusal(caught.value).fields == {"endpoint.user.user_id"}
    await service.put(app_id, "d15", address="t15", channel_type=CHANNEL_TYPE_APNS, user=user)
    pushed = await service.get(app_id, "d3")
    assert pushed.endpoint_status == INACTIVE
    assert pushed.user.user_id == ""
    request = pb.GetUserEndpointsRequest(application_id=app_id, user_id="full")
    found = (await service.endpoints.GetUserEndpoints(request)).endpoints
    assert {e.endpoint_id for e in found} == {f"d{n}" for n in range(16)} - {"d3"}


async def test_deleting_returns_what_was_there(service: Endpoints, app_id: str) -> None:
    user = resource.User(user_id="leaver")
    for name in ("a", "b"):
        await service.put(app_id, name, user=user)
    await service.put(app_id, "c", metrics={"m": 1})
    gone = await service.endpoints.DeleteEndpoint(
        pb.DeleteEndpointRequest(application_id=app_id, endpoint_id="C")
    )
    assert dict(gone.endpoint.metrics) == {"m": 1}
    both = await service.endpoints.DeleteUserEndpoints(
        pb.DeleteUserEndpointsRequest(application_id=app_id, user_id="leaver")
    )
    assert {e.endpoint_id for e in both.endpoints} == {"a", "b"}
    assert (await service.count(app_id)).total_count == 0
    with pytest.raises(aio.AioRpcError) as caught:
        await service.endpoints.GetUserEndpoints(
            pb.GetUserEndpointsRequest(application_id=app_id, user_id="leaver")
        )
    assert refusal(caught.value).reason == "RESOURCE_NOT_FOUND"


async def test_many_are_read_at_once_and_unknown_ones_are_missing(
    service: Endpoints, app_id: str
) -> None:
    for n in range(5):
        await service.put(app_id, f"e{n}", user=resource.User(user_id=f"u{n % 2}"))
    found = await service.endpoints.BatchGetEndpoints(
        pb.BatchGetEndpointsRequest(application_id=app_id, endpoint_ids=["E1", "e1", "e3", "none"])
    )
    assert sorted(e.endpoint_id for e in found.endpoints) == ["e1", "e3"]
    of_users = await service.endpoints.BatchGetUserEndpoints(
        pb.BatchGetUserEndpointsRequest(application_id=app_id, user_ids=["u0", "none"])
    )
    assert sorted(e.endpoint_id for e in of_users.endpoints) == ["e0", "e2", "e4"]
