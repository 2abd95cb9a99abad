"""A small campaign of one application beside a large one of another, through real gateways."""

from collections import Counter
from collections.abc import AsyncIterator

import grpc
import pytest
from touchpoint.messaging.v1 import lanes_service_pb2 as pb
from touchpoint.messaging.v1 import message_pb2

from libs.ids import new_id
from services.messaging.domain.sharing import LEAST_DEPTH
from tests.integration.messaging.gateway_support import (
    EMAIL,
    METADATA,
    Gateway,
    email_channel,
    new_dispatch,
    recipients,
    running_gateway,
    submission,
    until,
)

pytestmark = pytest.mark.servers
A_CALL = 1000
LARGE = 200
SMALL = 5


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    """Two of them, so that each test has two that may share a lane out."""
    async with (
        running_gateway(mongo_uri, amqp_url, database_prefix) as one,
        running_gateway(mongo_uri, amqp_url, database_prefix),
    ):
        yield one


async def campaign(gateway: Gateway, batches: int) -> str:
    """An application of its own with a promotional send of full batches; returns its id."""
    app_id = new_id()
    await email_channel(gateway, app_id)
    dispatch_id = await new_dispatch(gateway, app_id)
    for first in range(0, batches * 100, A_CALL):
        people = recipients(min(A_CALL, batches * 100 - first), first)
        answer = await gateway.dispatch.SubmitRecipients(
            submission(app_id, dispatch_id, people, EMAIL), metadata=METADATA
        )
        assert answer.queued_count == len(people)
    return app_id


async def weight_of(gateway: Gateway, app_id: str) -> pb.GetSendingWeightResponse:
    request = pb.GetSendingWeightRequest(application_id=app_id)
    answer: pb.GetSendingWeightResponse = await gateway.lanes.GetSendingWeight(
        request, metadata=METADATA
    )
    return answer


async def everything(gateway: Gateway, count: int) -> list[message_pb2.SendBatch]:
    """Take batches as workers would, until there are so many; in the order of the queue."""
    found: list[message_pb2.SendBatch] = []

    async def enough() -> bool:
        found.extend(await gateway.published())
        return len({one.batch_id for one in found}) >= count

    await until(enough)
    return found


async def test_queues_stay_shallow_and_a_small_campaign_is_out_long_before_a_large_one(
    gateway: Gateway,
) -> None:
    large = await campaign(gateway, LARGE)
    (waits,) = (await weight_of(gateway, large)).waiting
    assert waits.channel_type == EMAIL
    assert LARGE // 2 < waits.batch_count < LARGE
    small = await campaign(gateway, SMALL)
    assert (await weight_of(gateway, small)).waiting[0].batch_count == SMALL
    found = await everything(gateway, LARGE + SMALL)
    order = [one.origin.application_id for one in found]
    places = [place for place, app_id in enumerate(order) if app_id == small]
    before = LARGE - waits.batch_count  # what had room in the queue before the small one came
    assert len(places) == SMALL
    assert places[0] <= before + 1
    assert places[-1] <= before + 2 * SMALL + 1
    sent = Counter(m.message_id for one in found for m in one.recipients)
    assert set(sent.values()) == {1}
    assert len(sent) == (LARGE + SMALL) * 100


async def test_shares_follow_the_weights(gateway: Gateway) -> None:
    filler = await campaign(gateway, LEAST_DEPTH * 30)  # nobody gets in at once
    heavy, light = await campaign(gateway, 30), await campaign(gateway, 30)
    request = pb.UpdateSendingWeightRequest(application_id=heavy, weight=3)
    answer = await gateway.lanes.UpdateSendingWeight(request, metadata=METADATA)
    assert (answer.weight, (await weight_of(gateway, heavy)).weight) == (3, 3)
    assert (await weight_of(gateway, light)).weight == 1
    order = [
        one.origin.application_id
        for one in await everything(gateway, LEAST_DEPTH * 30 + 60)
        if one.origin.application_id != filler
    ]
    while_both_wait = Counter(order[: order.index(light) + 36])
    assert while_both_wait[light] == pytest.approx(while_both_wait[heavy] / 3, abs=1.5)


async def test_transactional_messages_never_wait_for_a_turn(gateway: Gateway) -> None:
    await campaign(gateway, LEAST_DEPTH * 3)
    app_id = new_id()
    await email_channel(gateway, app_id)
    dispatch_id = await new_dispatch(gateway, app_id, message_type="MESSAGE_TYPE_TRANSACTIONAL")
    answer = await gateway.dispatch.SubmitRecipients(
        submission(app_id, dispatch_id, recipients(100)), metadata=METADATA
    )
    assert answer.queued_count == 100
    # It is in its lane when the call is answered.
    assert len(await gateway.published(dispatch_id)) == 1
    await everything(gateway, 0)


async def test_a_weight_is_checked(gateway: Gateway) -> None:
    for app_id, weight, field in (
        ("", 1, "application_id"),
        ("a", 0, "weight"),
        ("a", 21, "weight"),
    ):
        request = pb.UpdateSendingWeightRequest(application_id=app_id, weight=weight)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await gateway.lanes.UpdateSendingWeight(request, metadata=METADATA)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert field in str(refused.value.details()) + str(refused.value.trailing_metadata())
