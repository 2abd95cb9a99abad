"""Delayed reactions: bounded, dropped at the end, and never the end of everything."""

import asyncio

from services.sandbox.usecases.later import Later


async def drained(later: Later, jobs: int) -> None:
    async with asyncio.timeout(5):
        while later.done + later.failed < jobs:  # noqa: ASYNC110 - counters, no event
            await asyncio.sleep(0.005)


async def test_no_more_run_at_once_than_there_are_workers() -> None:
    running = most = 0

    async def job() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1

    async with Later(3) as later:
        for _ in range(20):
            later.start(0, job)
        await drained(later, 20)
    assert (most, later.done) == (3, 20)


async def test_a_failing_job_is_counted_and_the_rest_go_on() -> None:
    async def fail() -> None:
        raise RuntimeError("secret text")

    async def succeed() -> None:
        return

    async with Later(1) as later:
        later.start(0, fail)
        later.start(1, succeed)
        await drained(later, 2)
    assert (later.failed, later.done) == (1, 1)


async def test_actions_happen_after_their_delay_in_order() -> None:
    order: list[int] = []
    finished = asyncio.Event()
    async with Later(1) as later:
        later.call(40, finished.set)
        for delay in (30, 10, 20):
            later.call(delay, lambda delay=delay: order.append(delay))  # type: ignore[misc]
        assert later.waiting == 4
        async with asyncio.timeout(5):
            await finished.wait()
    assert order == [10, 20, 30]
    assert later.waiting == 0


async def test_what_is_not_due_is_forgotten_at_the_end_and_on_request() -> None:
    happened: list[str] = []
    async with Later(1) as later:
        later.call(20, lambda: happened.append("forgotten"))
        later.forget()
        assert later.waiting == 0
        later.call(10_000, lambda: happened.append("too late"))
    await asyncio.sleep(0.05)
    assert happened == []
