"""The kill switch: sending stops within two seconds, and goes on without repeats."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import dispatch_service_pb2
from touchpoint.messaging.v1 import holds_service_pb2 as pb
from touchpoint.messaging.v1 import messaging_service_pb2 as messaging

from libs.bus.publisher import Publisher
from libs.mongo.client import Database
from services.messaging.domain.dispatch import Control
from services.messaging.domain.ledger import State
from tests.integration.messaging.gateway_support import EMAIL, METADATA, Gateway, running_gateway
from tests.support.desk import Desk, now, people, rule, settled
from tests.support.running import refusal
from tests.support.sandboxes import Sandbox, eventually

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("workers")]
RATE = 20
COUNT = 90
STOPS_WITHIN = 2.0
CAMPAIGN = pb.HoldScope(campaign_id="camp")


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    async with running_gateway(
        mongo_uri, amqp_url, database_prefix, auto_hold_least_messages=200
    ) as running:
        yield running


@pytest.fixture
async def desk(
    gateway: Gateway, ledger_database: Database, bus: Publisher, box: Sandbox
) -> AsyncIterator[Desk]:
    made = Desk(ledger_database, bus)
    await made.open_email(box, messages_per_second=RATE)
    yield made
    await ledger_database["channels"].delete_many({"app_id": made.app_id})


async def hold(gateway: Gateway, app_id: str, scope: pb.HoldScope | None = None) -> pb.Hold:
    request = pb.HoldSendingRequest(application_id=app_id, scope=scope, reason="wrong price")
    answer: pb.HoldSendingResponse = await gateway.holds.HoldSending(request, metadata=METADATA)
    return answer.hold


async def release(gateway: Gateway, app_id: str, scope: pb.HoldScope | None = None) -> None:
    request = pb.ReleaseSendingRequest(application_id=app_id, scope=scope)
    await gateway.holds.ReleaseSending(request, metadata=METADATA)


async def half_way(desk: Desk, box: Sandbox) -> list[str]:
    """A paced campaign of which some are sent."""
    ids = await desk.send(await desk.frame(), people(COUNT))

    async def begun() -> bool:
        return len(await box.counts("EMAIL")) >= 10

    await eventually(begun)
    return ids


async def arrivals(box: Sandbox) -> list[float]:
    return sorted(one["received_at"] / 1000 for one in await box.messages("EMAIL"))


@pytest.mark.parametrize(
    "scope", [None, pb.HoldScope(channel_type=EMAIL), CAMPAIGN], ids=["all", "channel", "campaign"]
)
async def test_in_flight_sending_stops_and_goes_on_without_repeats(
    gateway: Gateway, desk: Desk, box: Sandbox, scope: pb.HoldScope | None
) -> None:
    ids = await half_way(desk, box)
    held = await hold(gateway, desk.app_id, scope)
    held_at = time.time()
    assert held.reason == "wrong price"
    states = await settled(desk, ids, State.SENT, State.HELD)
    assert states["HELD"] > 0
    assert max(await arrivals(box)) - held_at < STOPS_WITHIN
    sent = len(await box.counts("EMAIL"))
    assert sent == states["SENT"]
    await release(gateway, desk.app_id, scope)
    assert await settled(desk, ids, State.SENT) == {"SENT": COUNT}
    assert await box.counts("EMAIL") == dict.fromkeys(people(COUNT), 1)


async def test_what_another_scope_is_about_goes_on(
    gateway: Gateway, desk: Desk, box: Sandbox
) -> None:
    await hold(gateway, desk.app_id, pb.HoldScope(campaign_id="another"))
    await hold(gateway, desk.app_id, pb.HoldScope(channel_type=channel_pb2.CHANNEL_TYPE_SMS))
    ids = await desk.send(await desk.frame(), people(3))
    assert await settled(desk, ids, State.SENT) == {"SENT": 3}
    request = pb.ListHoldsRequest(application_id=desk.app_id)
    listed = await gateway.holds.ListHolds(request, metadata=METADATA)
    assert [one.scope.campaign_id for one in listed.holds] == ["another", ""]


async def test_a_row_goes_on_when_nothing_holds_it_any_more(
    gateway: Gateway, desk: Desk, box: Sandbox
) -> None:
    await hold(gateway, desk.app_id)
    await hold(gateway, desk.app_id, CAMPAIGN)
    frame = await desk.frame()
    ids = await desk.send(frame, people(5))
    assert await settled(desk, ids, State.HELD) == {"HELD": 5}
    await release(gateway, desk.app_id)
    await desk.dispatches.control(desk.app_id, frame.dispatch_id, Control.HOLD, now())
    await release(gateway, desk.app_id, CAMPAIGN)

    async def looked_at() -> bool:
        holds = gateway.database["holds"]
        tombs = await holds.count_documents({"app_id": desk.app_id})
        return tombs == 2 and (await desk.states(ids)) == {"HELD": 5}

    await eventually(looked_at)
    await desk.dispatches.control(desk.app_id, frame.dispatch_id, Control.RELEASE, now())
    assert await settled(desk, ids, State.SENT) == {"SENT": 5}
    assert await box.counts("EMAIL") == dict.fromkeys(people(5), 1)


async def standing(gateway: Gateway, desk: Desk, dispatch_id: str) -> None:
    request = dispatch_service_pb2.GetDispatchRequest(
        application_id=desk.app_id, dispatch_id=dispatch_id
    )
    await gateway.dispatch.GetDispatch(request, metadata=METADATA)


async def test_a_run_that_bounces_too_much_is_stopped_by_itself_once(
    gateway: Gateway, desk: Desk, box: Sandbox
) -> None:
    await desk.open_email(box)  # at once
    await box.behave(rule("EMAIL", f"bad{desk.app_id[:4]}*", kind="reject"))
    frame = await desk.frame()
    names = people(200, f"ok{desk.app_id[:4]}") + people(40, f"bad{desk.app_id[:4]}")
    ids = await desk.send(frame, names)
    await settled(desk, ids, State.SENT, State.FAILED)
    await standing(gateway, desk, frame.dispatch_id)
    request = pb.ListHoldsRequest(application_id=desk.app_id)
    [held] = (await gateway.holds.ListHolds(request, metadata=METADATA)).holds
    assert held.scope == CAMPAIGN
    assert held.reason == "stopped by itself: bounces: 40 of 240 are 16.7 %, above 10 %"
    await release(gateway, desk.app_id, CAMPAIGN)
    more = await desk.send(frame, people(3, f"more{desk.app_id[:4]}"))
    assert await settled(desk, more, State.SENT) == {"SENT": 3}

    async def counted_again() -> bool:
        await standing(gateway, desk, frame.dispatch_id)
        dispatches = gateway.database["dispatches"]
        return await dispatches.count_documents({"guarded": True, "app_id": desk.app_id}) == 1

    await eventually(counted_again)
    assert not (await gateway.holds.ListHolds(request, metadata=METADATA)).holds


async def test_direct_sends_are_told_to_come_again(
    gateway: Gateway, desk: Desk, box: Sandbox
) -> None:
    await hold(gateway, desk.app_id, pb.HoldScope(channel_type=EMAIL))
    request = messaging.SendMessagesRequest(
        application_id=desk.app_id,
        addresses={"a@mail.example": messaging.AddressConfiguration(channel_type=EMAIL)},
        message_configuration=messaging.DirectMessageConfiguration(
            default_message=messaging.DefaultMessage(body="Hi")
        ),
    )
    answer = await gateway.messaging.SendMessages(request, metadata=METADATA)
    result = answer.result["a@mail.example"]
    assert (result.status_code, result.status_message) == (503, "sending is held by an operator")
    await release(gateway, desk.app_id, pb.HoldScope(channel_type=EMAIL))
    answer = await gateway.messaging.SendMessages(request, metadata=METADATA)
    assert answer.result["a@mail.example"].status_code == 200


async def test_bad_input_is_named_and_what_is_not_held_not_found(gateway: Gateway) -> None:
    calls: list[Any] = [
        hold(gateway, "", pb.HoldScope(channel_type=EMAIL, campaign_id="x")),
        hold(gateway, "app", pb.HoldScope(channel_type=channel_pb2.CHANNEL_TYPE_PUSH)),
        release(gateway, "app"),
    ]
    told = []
    for call in calls:
        with pytest.raises(aio.AioRpcError) as caught:
            await call
        found = refusal(caught.value)
        told.append((found.code, found.fields))
    assert told == [
        ("INVALID_ARGUMENT", {"application_id", "scope.campaign_id"}),
        ("INVALID_ARGUMENT", {"scope.channel_type"}),
        ("NOT_FOUND", frozenset()),
    ]
