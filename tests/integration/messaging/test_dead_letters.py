"""Batches that no worker can handle: parked, listed, replayed once the cause is gone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc import aio
from touchpoint.messaging.v1 import dead_letters_service_pb2 as pb

from libs.bus.publisher import Outgoing, Publisher
from libs.mongo.client import Database
from services.messaging.consumer.run import BatchRun
from services.messaging.domain.ledger import State
from tests.integration.messaging.gateway_support import METADATA, Gateway, running_gateway
from tests.support.desk import Desk, people, settled
from tests.support.running import refusal
from tests.support.sandboxes import Sandbox, eventually

pytestmark = [pytest.mark.servers, pytest.mark.usefixtures("workers")]


@pytest.fixture(scope="module")
async def gateway(mongo_uri: str, amqp_url: str, database_prefix: str) -> AsyncIterator[Gateway]:
    async with running_gateway(mongo_uri, amqp_url, database_prefix) as running:
        yield running


@pytest.fixture
async def desk(
    gateway: Gateway, ledger_database: Database, bus: Publisher, box: Sandbox
) -> AsyncIterator[Desk]:
    made = Desk(ledger_database, bus)
    await made.open_email(box)
    yield made
    await ledger_database["channels"].delete_many({"app_id": made.app_id})


async def letters(gateway: Gateway, app_id: str, **more: Any) -> list[pb.DeadLetter]:
    request = pb.ListDeadLettersRequest(application_id=app_id, **more)
    answer = await gateway.dead_letters.ListDeadLetters(request, metadata=METADATA)
    return list(answer.dead_letters)


async def test_a_batch_that_kills_its_handler_is_listed_and_sent_once_it_is_replayed(
    gateway: Gateway, desk: Desk, box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = BatchRun.run

    async def fails(run: BatchRun, *, repeated: bool) -> None:
        if run._work.origin.app_id == desk.app_id:
            raise RuntimeError("a fault of ours")
        await real(run, repeated=repeated)

    monkeypatch.setattr(BatchRun, "run", fails)
    ids = await desk.send(await desk.frame(), people(3))

    async def listed() -> list[pb.DeadLetter]:
        return await letters(gateway, desk.app_id)

    [letter] = await eventually(listed)
    assert (letter.message_count, letter.campaign_id) == (3, "camp")
    assert await letters(gateway, "another") == []
    request = pb.GetDeadLetterRequest(application_id=desk.app_id, batch_id=letter.batch_id)
    shown = await gateway.dead_letters.GetDeadLetter(request, metadata=METADATA)
    assert sorted(shown.message_ids) == sorted(ids)
    assert await box.counts("EMAIL") == {}
    monkeypatch.setattr(BatchRun, "run", real)
    again = pb.ReplayDeadLettersRequest(application_id=desk.app_id)
    answer = await gateway.dead_letters.ReplayDeadLetters(again, metadata=METADATA)
    assert answer.replayed_count == 1
    assert await settled(desk, ids, State.SENT) == {"SENT": 3}
    assert await letters(gateway, desk.app_id) == []
    assert await box.counts("EMAIL") == dict.fromkeys(people(3), 1)


async def test_the_sweep_leaves_a_dead_batch_alone(gateway: Gateway, desk: Desk) -> None:
    ids = await desk.send(await desk.frame(), people(1))
    await settled(desk, ids, State.SENT)
    batch = await desk.batch_of(ids[0])
    batches = gateway.database["batches"]
    await batches.update_one({"_id": batch.batch_id}, {"$set": {"check_time": batch.create_time}})
    assert await desk.batches.bury(batch.batch_id, batch.create_time)
    taken = await desk.batches.take_published("EMAIL", "PROMOTIONAL", batch.create_time, 100)
    assert batch.batch_id not in {one.batch_id for one in taken}


async def test_what_is_no_batch_at_all_is_kept_for_whoever_looks(
    gateway: Gateway, desk: Desk
) -> None:
    body = b"\xff\xff no batch " + desk.app_id.encode()
    await desk.publisher.publish([Outgoing("email.promotional", body, "?", desk.app_id)])

    async def kept() -> bool:
        return await gateway.database["unreadable"].count_documents({"body": body}) == 1

    await eventually(kept)


async def test_bad_input_is_named(gateway: Gateway) -> None:
    calls: list[Any] = [
        letters(gateway, "", channel_type=99, page_size=-1),
        gateway.dead_letters.GetDeadLetter(pb.GetDeadLetterRequest(), metadata=METADATA),
        gateway.dead_letters.ReplayDeadLetters(
            pb.ReplayDeadLettersRequest(batch_ids=["x"] * 101), metadata=METADATA
        ),
    ]
    told = []
    for call in calls:
        with pytest.raises(aio.AioRpcError) as caught:
            await call
        told.append(refusal(caught.value).fields)
    assert told == [
        {"application_id", "channel_type", "page_size"},
        {"application_id", "batch_id"},
        {"application_id", "batch_ids"},
    ]
