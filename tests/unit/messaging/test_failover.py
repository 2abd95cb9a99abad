"""The circuit breaker, and several providers as one: nobody gets anything twice."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messaging.domain.breaker import (
    FAILURES,
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    Breaker,
    Circuit,
)
from services.messaging.domain.outbound import Outbound, OutboundEmail, Turn
from services.messaging.domain.outcomes import Answer, Status
from services.messaging.usecases.failover import Failover, Way


@dataclass
class Provider:
    """Answers as told, one status a window."""

    plan: list[Status] = field(default_factory=list)
    usual: Status = Status.SUCCESSFUL
    is_ready: bool = True
    took: list[str] = field(default_factory=list)
    never_saw: frozenset[str] = frozenset()

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def ready(self) -> bool:
        return self.is_ready

    async def send(self, messages: Sequence[Outbound], _: Turn | None = None) -> list[Answer]:
        status = self.plan.pop(0) if self.plan else self.usual
        answers = []
        for one in messages:
            unseen = status is Status.NOT_CALLED or one.message_id in self.never_saw
            answers.append(Answer(Status.NOT_CALLED if unseen else status))
            if not unseen:
                self.took.append(one.message_id)
        return answers


@dataclass
class Time:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def mails(*ids: str) -> list[OutboundEmail]:
    return [OutboundEmail(one, "a@x.example", "b@x.example", b"") for one in ids]


def pair(clock: Time) -> tuple[Provider, Provider, Failover]:
    first, second = Provider(), Provider()
    return first, second, Failover([Way("first", first), Way("second", second)], clock)


async def test_the_first_takes_everything_while_it_is_well() -> None:
    first, second, both = pair(Time())
    answers = await both.send(mails("a", "b"))
    assert [one.status for one in answers] == [Status.SUCCESSFUL] * 2
    assert (first.took, second.took) == (["a", "b"], [])


async def test_what_the_first_never_saw_goes_to_the_second_and_nothing_else_does() -> None:
    first, second, both = pair(Time())
    first.never_saw = frozenset({"b"})
    answers = await both.send(mails("a", "b", "c"))
    assert [one.status for one in answers] == [Status.SUCCESSFUL] * 3
    assert (first.took, second.took) == (["a", "c"], ["b"])


@pytest.mark.parametrize("status", [Status.UNKNOWN_FAILURE, Status.TEMPORARY_FAILURE])
async def test_what_the_first_may_have_taken_is_not_sent_by_the_second(status: Status) -> None:
    first, second, both = pair(Time())
    first.usual = status
    answers = await both.send(mails("a"))
    assert [one.status for one in answers] == [status]
    assert second.took == []


async def test_a_first_that_keeps_failing_is_left_alone_and_tried_again_later() -> None:
    clock = Time()
    first, second, both = pair(clock)
    first.usual = Status.TEMPORARY_FAILURE
    for n in range(FAILURES):
        await both.send(mails(f"m{n}"))
    await both.send(mails("late"))
    assert second.took == ["late"]
    clock.now += FIRST_PAUSE_SECONDS
    first.usual = Status.SUCCESSFUL
    await both.send(mails("back"))
    await both.send(mails("stays"))
    assert first.took[-2:] == ["back", "stays"]


async def test_a_first_that_cannot_be_reached_is_passed_over() -> None:
    first, second, both = pair(Time())
    first.is_ready = False
    assert await both.ready()
    await both.send(mails("a"))
    assert second.took == ["a"]


async def test_when_none_is_open_nothing_was_called() -> None:
    first, second, both = pair(Time())
    first.is_ready = second.is_ready = False
    assert not await both.ready()
    assert [one.status for one in await both.send(mails("a"))] == [Status.NOT_CALLED]


async def test_throttling_is_no_failure_of_the_provider() -> None:
    first, second, both = pair(Time())
    first.usual = Status.THROTTLED
    for n in range(3 * FAILURES):
        await both.send(mails(f"m{n}"))
    assert second.took == []


def test_a_probe_that_fails_waits_twice_as_long_up_to_the_longest() -> None:
    breaker, now, pauses = Breaker(), 0.0, []
    for _ in range(FAILURES):
        breaker.begin(now)
        breaker.fail(now)
    for _ in range(8):
        pauses.append(breaker.pause_seconds)
        assert not breaker.admits(now + breaker.pause_seconds - 0.01)
        now += breaker.pause_seconds
        assert breaker.circuit(now) is Circuit.HALF_OPEN
        breaker.begin(now)
        breaker.fail(now)
    assert pauses[:3] == [FIRST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2, FIRST_PAUSE_SECONDS * 4]
    assert max(pauses) == LONGEST_PAUSE_SECONDS


def test_only_one_caller_probes() -> None:
    breaker = Breaker()
    for _ in range(FAILURES):
        breaker.fail(0.0)
    later = FIRST_PAUSE_SECONDS
    assert breaker.admits(later)
    breaker.begin(later)
    assert not breaker.admits(later)
    breaker.give_up()
    assert breaker.admits(later)


@given(st.lists(st.sampled_from(["succeed", "fail", "wait"]), max_size=60))
def test_an_open_circuit_always_opens_again_and_success_closes_it(steps: list[str]) -> None:
    breaker, now = Breaker(), 0.0
    for step in steps:
        if step == "wait":
            now += 1.0
        elif breaker.admits(now):
            breaker.begin(now)
            breaker.succeed() if step == "succeed" else breaker.fail(now)
            if step == "succeed":
                assert breaker.circuit(now) is Circuit.CLOSED
    assert breaker.admits(now + LONGEST_PAUSE_SECONDS)


@given(
    st.lists(st.sampled_from([*Status]), min_size=1, max_size=12),
    st.lists(st.sampled_from([*Status]), min_size=1, max_size=12),
)
async def _nobody_twice(first_plan: list[Status], second_plan: list[Status]) -> None:
    first, second, both = pair(Time())
    first.plan, second.plan = list(first_plan), list(second_plan)
    for n in range(12):
        await both.send(mails(f"m{n}"))
    taken = first.took + second.took
    assert len(taken) == len(set(taken))


test_no_message_is_taken_by_two_providers = _nobody_twice
