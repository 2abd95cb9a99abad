"""The recorder of hits: together, in order, held while the broker is away, never without bound."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from libs.errors import DependencyUnavailable
from services.links.domain import Hit
from services.links.usecases import HitRecorder


class Broker:
    """Takes hits, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.taken: list[list[str]] = []
        self.refused = asyncio.Event()
        self.happened = asyncio.Event()

    async def publish(self, hits: Sequence[Hit]) -> None:
        self.happened.set()
        if self.away:
            self.refused.set()
            await asyncio.sleep(0)
            raise DependencyUnavailable("the broker")
        self.taken.append([hit.event_id for hit in hits])

    def all(self) -> list[str]:
        return [event_id for batch in self.taken for event_id in batch]


def hit(number: int) -> Hit:
    return Hit(str(number), "_email.open", "app", "e", datetime(2026, 1, 1, tzinfo=UTC), {})


async def test_hits_that_come_together_go_out_together_and_the_last_ones_too() -> None:
    broker, stopping = Broker(), asyncio.Event()
    recorder = HitRecorder(broker.publish, 1000)
    async with asyncio.TaskGroup() as group:
        group.create_task(recorder.run(stopping))
        for number in range(100):
            recorder.add(hit(number))
        await asyncio.wait_for(broker.happened.wait(), 5)
        recorder.add(hit(100))
        stopping.set()
    assert broker.all() == [str(number) for number in range(101)]
    assert len(broker.taken) <= 3
    assert recorder.waiting == 0


async def test_hits_are_held_while_the_broker_is_away() -> None:
    broker, stopping = Broker(), asyncio.Event()
    broker.away = True
    recorder = HitRecorder(broker.publish, 1000)
    async with asyncio.TaskGroup() as group:
        group.create_task(recorder.run(stopping))
        recorder.add(hit(1))
        await asyncio.wait_for(broker.refused.wait(), 5)
        recorder.add(hit(2))
        broker.away = False
        broker.happened.clear()
        await asyncio.wait_for(broker.happened.wait(), 5)
        stopping.set()
    assert broker.all() == ["1", "2"]


async def test_the_oldest_are_lost_when_memory_is_full() -> None:
    broker, stopping = Broker(), asyncio.Event()
    recorder = HitRecorder(broker.publish, 10)
    for number in range(15):
        recorder.add(hit(number))
    assert recorder.waiting == 10
    stopping.set()
    await recorder.run(stopping)
    assert broker.all() == [str(number) for number in range(5, 15)]


async def test_stopping_while_the_broker_is_away_ends() -> None:
    broker, stopping = Broker(), asyncio.Event()
    broker.away = True
    recorder = HitRecorder(broker.publish, 10)
    recorder.add(hit(1))
    stopping.set()
    await asyncio.wait_for(recorder.run(stopping), 5)
    assert recorder.waiting == 1
