"""The claim gate: never more than its places, urgent borrowers first, nobody forgotten."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from services.messaging.consumer.gate import ClaimGate


async def test_places_are_lent_up_to_what_there_is() -> None:
    gate = ClaimGate(16)
    assert await gate.take(10, urgent=False) == 10
    assert await gate.take(10, urgent=False) == 6
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(gate.take(4, urgent=False))
        await asyncio.sleep(0)
        assert not waiting.done()
        gate.give(6, urgent=False)
    assert waiting.result() == 4


async def test_urgent_borrowers_go_first_and_are_announced() -> None:
    gate = ClaimGate(4)
    await gate.take(4, urgent=False)
    async with asyncio.TaskGroup() as group:
        ordinary = group.create_task(gate.take(4, urgent=False))
        await asyncio.sleep(0)
        assert not gate.wants_back(urgent=False)
        urgent = group.create_task(gate.take(3, urgent=True))
        await asyncio.sleep(0)
        assert gate.wants_back(urgent=False)
        assert not gate.wants_back(urgent=True)
        gate.give(4, urgent=False)
    assert (urgent.result(), ordinary.result()) == (3, 1)


async def test_reserved_places_are_for_the_urgent() -> None:
    gate = ClaimGate(16, reserved=4)
    assert await gate.take(16, urgent=False) == 12
    assert await gate.take(16, urgent=True) == 4
    gate.give(4, urgent=True)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(gate.take(1, urgent=False))
        await asyncio.sleep(0)
        assert not waiting.done()
        gate.give(12, urgent=False)
    assert waiting.result() == 1


async def test_who_gives_up_leaves_its_places_to_others() -> None:
    gate = ClaimGate(2)
    await gate.take(2, urgent=False)
    async with asyncio.TaskGroup() as group:
        gives_up = group.create_task(gate.take(2, urgent=True))
        waits = group.create_task(gate.take(2, urgent=False))
        await asyncio.sleep(0)
        gives_up.cancel()
        await asyncio.sleep(0)
        gate.give(2, urgent=False)
    assert waits.result() == 2


@given(st.lists(st.tuples(st.integers(1, 20), st.booleans()), max_size=30), st.integers(0, 8))
@settings(deadline=None)
def test_the_gate_holds_and_everyone_gets_through(
    borrowers: list[tuple[int, bool]], reserved: int
) -> None:
    gate, out, most = ClaimGate(16, reserved), {True: 0, False: 0}, 0

    async def borrow(wanted: int, *, urgent: bool) -> None:
        nonlocal most
        count = await gate.take(wanted, urgent=urgent)
        assert 1 <= count <= wanted
        out[urgent] += count
        most = max(most, sum(out.values()))
        assert out[False] <= 16 - reserved
        await asyncio.sleep(0)
        out[urgent] -= count
        gate.give(count, urgent=urgent)

    async def everybody() -> None:
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            for wanted, urgent in borrowers:
                group.create_task(borrow(wanted, urgent=urgent))

    asyncio.run(everybody())
    assert most <= 16
