"""The gateway's clock that publishes, with a broker that fails and another gateway beside it."""

from collections.abc import Collection
from datetime import timedelta

import pytest
from touchpoint.messaging.v1.message_pb2 import SendRecipient

from libs.bus.publisher import Publisher
from libs.errors import DependencyUnavailable
from services.messaging.clients.events import EventPublisher
from services.messaging.clients.outbox import Cuts, Outbox
from services.messaging.domain.batches import Batch
from services.messaging.store.ledger import Shared
from services.messaging.usecases.feeding import Feeding
from services.messaging.usecases.refusals import Refusals
from tests.support.desk import Desk, now
from tests.support.sandboxes import eventually

pytestmark = pytest.mark.servers
SOON = timedelta(seconds=3)


class FailingOutbox(Outbox):
    """An outbox whose broker is away; notes what another gateway would get meanwhile."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.publisher)
        self._desk = desk
        self.tried: list[str] = []
        self.free_meanwhile: list[str] = []

    async def publish_part(
        self,
        batch: Batch,
        message_ids_to_send: Collection[str],  # noqa: ARG002
        patience_seconds: float,  # noqa: ARG002
    ) -> None:
        self.tried.append(batch.batch_id)
        self.free_meanwhile += await free(self._desk)
        raise DependencyUnavailable("broker")


async def free(desk: Desk) -> list[str]:
    """Batches of the application that any gateway may take within a few seconds."""
    soon = await desk.ledger.now() + SOON
    found = desk.database["batches"].find(
        {"app_id": desk.app_id, "published": False, "check_time": {"$lte": soon}}
    )
    return sorted(one["_id"] for one in await found.to_list(None))


async def left_behind(desk: Desk, count: int) -> list[str]:
    """Batches with their rows that a call did not come to publish; returns their ids."""
    frame, long_ago, ids = await desk.frame(), now() - timedelta(minutes=1), []
    for n in range(count):
        cuts = Cuts()
        person = SendRecipient(endpoint_id=f"e{n}", address=f"p{n}@mail.example")
        cuts.add(frame, [person], long_ago)
        (cut,) = cuts.cuts
        batch_id = cut.batch.batch_id
        shared = Shared(
            frame.origin, frame.dispatch_id, batch_id, "EMAIL", "0", "PROMOTIONAL", long_ago
        )
        await desk.batches.insert([cut.batch])
        await desk.ledger.insert([(shared, cut.recipients)])
        ids.append(batch_id)
    return sorted(ids)


async def test_what_the_broker_did_not_take_is_free_again_at_once(
    desk: Desk, bus: Publisher
) -> None:
    """Not for a minute, and not while the gateway that took it still publishes."""
    ids = await left_behind(desk, 3)
    assert await free(desk) == ids
    outbox = FailingOutbox(desk)
    refusals = Refusals(EventPublisher(bus))
    feeding = Feeding(desk.ledger, desk.batches, desk.dispatches, outbox, refusals)
    with pytest.raises(DependencyUnavailable):
        await feeding.publish_left()
    assert len(outbox.tried) == 1
    assert outbox.free_meanwhile == []
    assert await free(desk) == ids
    back = Feeding(desk.ledger, desk.batches, desk.dispatches, desk.outbox, refusals)

    async def published() -> bool:
        await back.publish_left()
        return not await free(desk)

    await eventually(published)
    await desk.database["batches"].delete_many({"app_id": desk.app_id})


async def test_a_batch_whose_call_died_is_forgotten_and_delays_no_other(
    desk: Desk, bus: Publisher
) -> None:
    cuts, frame = Cuts(), await desk.frame()
    person = SendRecipient(endpoint_id="e", address="p@mail.example")
    cuts.add(frame, [person], now() - timedelta(hours=2))
    await desk.batches.insert([cuts.cuts[0].batch])
    others = await left_behind(desk, 2)
    refusals = Refusals(EventPublisher(bus))
    feeding = Feeding(desk.ledger, desk.batches, desk.dispatches, desk.outbox, refusals)
    await feeding.publish_left()
    kept = await desk.database["batches"].find({"app_id": desk.app_id}).to_list(None)
    assert {one["_id"]: one["published"] for one in kept} == dict.fromkeys(others, True)
    await desk.database["batches"].delete_many({"app_id": desk.app_id})


async def test_a_batch_is_looked_at_when_its_time_is_over(desk: Desk) -> None:
    over = await desk.ledger.now() + timedelta(seconds=5)
    cuts = Cuts()
    person = SendRecipient(endpoint_id="e", address="p@mail.example")
    cuts.add(await desk.frame(expire_time=over), [person], now())
    batch = cuts.cuts[0].batch
    await desk.batches.insert([batch])
    (kept,) = await desk.batches.get([batch.batch_id])
    await desk.batches.check_later([kept], await desk.ledger.now())
    found = await desk.database["batches"].find_one({"_id": batch.batch_id})
    assert found is not None
    assert abs(found["check_time"] - over) < timedelta(seconds=1)
    await desk.database["batches"].delete_many({"app_id": desk.app_id})
