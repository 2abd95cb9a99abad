"""The group commit: calls that come together share a publish, and each gets its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from libs.errors import DependencyUnavailable
from services.analytics.usecases import GroupCommit


class Broker:
    """Confirms when told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.called = asyncio.Event()
        self.away = False
        self.publishes: list[list[tuple[str, bytes]]] = []

    async def publish(self, bodies: Sequence[tuple[str, bytes]]) -> None:
        self.publishes.append(list(bodies))
        self.called.set()
        await self.open.wait()
        if self.away:
            raise DependencyUnavailable("the broker")


async def test_calls_gather_while_the_broker_is_busy() -> None:
    broker = Broker()
    async with asyncio.TaskGroup() as tasks:
        commit = GroupCommit(broker.publish, tasks)
        first = tasks.create_task(commit.publish("app", b"0"))
        await broker.called.wait()
        others = [tasks.create_task(commit.publish("app", b"%d" % n)) for n in range(1, 50)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in (first, *others))
        broker.open.set()
    assert [len(bodies) for bodies in broker.publishes] == [1, 49]


async def test_a_failure_reaches_every_call_of_the_group_and_no_later_one() -> None:
    broker = Broker()
    broker.away = True
    broker.open.set()
    async with asyncio.TaskGroup() as tasks:
        commit = GroupCommit(broker.publish, tasks)
        failures = await asyncio.gather(
            *(commit.publish("app", b"x") for _ in range(3)), return_exceptions=True
        )
        assert [type(failure) for failure in failures] == [DependencyUnavailable] * 3
        broker.away = False
        await commit.publish("app", b"y")
    assert broker.publishes[-1] == [("app", b"y")]


async def test_a_caller_that_goes_away_disturbs_nobody() -> None:
    broker = Broker()
    async with asyncio.TaskGroup() as tasks:
        commit = GroupCommit(broker.publish, tasks)
        gone = tasks.create_task(commit.publish("app", b"gone"))
        stays = tasks.create_task(commit.publish("app", b"stays"))
        await broker.called.wait()
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        broker.open.set()
        await stays
    assert [b for bodies in broker.publishes for _, b in bodies] == [b"gone", b"stays"]
