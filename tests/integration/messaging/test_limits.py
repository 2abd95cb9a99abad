"""The limits on a real MongoDB: the pipelines compute the model, and workers keep the windows."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase

from services.messaging.domain.buckets import Bucket, admit, move, release, reserve, settle
from services.messaging.domain.limits import (
    Ask,
    Limit,
    LimiterUnavailable,
    Reservation,
    Slot,
    limit_per_second,
)
from services.messaging.store.limits import LimitStore
from services.messaging.usecases.pacing import Pacer, Permit
from tests.support.sandboxes import eventually

pytestmark = pytest.mark.servers
Database = AsyncIOMotorDatabase[dict[str, Any]]


@pytest.fixture(scope="module")
async def database(mongo_uri: str, database_prefix: str) -> AsyncIterator[Database]:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(mongo_uri)
    yield client[f"{database_prefix}_messaging"]
    client.close()


@pytest.fixture
async def store(database: Database) -> LimitStore:
    await database["limits"].delete_many({})
    return LimitStore(database)


async def bucket_of(database: Database, key: str) -> tuple[Bucket, dict[str, Any]]:
    found = await database["limits"].find_one({"_id": key}) or {}
    fields = (found[name] for name in ("newest", "tail", "used", "unit"))
    return Bucket(tuple(found["log"]), *fields), found["reply"]


script = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "reserve", "move", "release", "settle", "report"]),
        st.integers(1, 12),
        st.integers(0, 30_000),
    ),
    min_size=1,
    max_size=12,
)


@given(script, st.lists(st.sampled_from([1, 3, 20, 201, 1000]), min_size=1, max_size=2))
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_the_pipelines_compute_the_model(
    database: Database, store: LimitStore, deeds: list[tuple[str, int, int]], rates: list[int]
) -> None:
    await database["limits"].delete_many({})
    both = Both(store, limit_per_second("run/model", rates[0]))
    for deed, count, lead_us in deeds:
        entries = frozenset(slot.entry_us for slot in both.slots[-count:])
        await getattr(both, deed)(entries, count, lead_us)
        if both.bucket != Bucket():
            assert (await bucket_of(database, both.limit.key))[0] == both.bucket
        rates = [*rates[1:], rates[0]]
        both.limit = limit_per_second("run/model", rates[0])


@dataclass
class Both:
    """The store and the model beside it: each deed is done to both."""

    store: LimitStore
    limit: Limit
    bucket: Bucket = field(default_factory=Bucket)
    slots: list[Slot] = field(default_factory=list)

    async def release(self, entries: frozenset[int], *_: int) -> None:
        await self.store.release(self.limit, entries)
        if self.bucket != Bucket():
            self.bucket = release(self.bucket, entries)

    async def report(self, entries: frozenset[int], *_: int) -> None:
        if reports := tuple((entry, entry - 7) for entry in entries):
            await self.store.settle(self.limit, reports)
            self.bucket = settle(self.bucket, reports)

    async def move(self, entries: frozenset[int], _: int, lead_us: int) -> None:
        now, to, moved = await self.store.move(self.limit, entries, 0, lead_us)
        if now:
            assert to == now + lead_us
            self.bucket, renamed = move(self.bucket, entries, to, self.limit)
            assert moved == renamed

    async def settle(self, entries: frozenset[int], count: int, lead_us: int) -> None:
        reports = tuple((entry, entry - 7) for entry in entries)
        await self.reserve(entries, count, lead_us, reports)

    async def reserve(
        self,
        _: frozenset[int],
        count: int,
        lead_us: int,
        settled: tuple[tuple[int, int], ...] = (),
    ) -> None:
        ask = Ask(count, lead_us, lead_us // 3, settled)
        granted = await self.store.reserve(self.limit, ask)
        self.bucket, expected = reserve(self.bucket, granted.now_us, ask, self.limit)
        assert granted == expected
        self.slots += granted.slots


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_admission_computes_the_model(
    database: Database, store: LimitStore, counts: list[int]
) -> None:
    limit = limit_per_second("account/sms", 20)
    await database["limits"].delete_many({})
    admitted: tuple[tuple[int, int], ...] = ()
    for count in counts:
        answer = await store.admit(limit, count)
        found = await database["limits"].find_one({"_id": limit.key})
        assert found is not None
        now = int(found["touched"].replace(tzinfo=UTC).timestamp() * 1000) * 1000
        admitted, expected = admit(admitted, now, count, limit)
        assert answer == expected
        assert tuple((pair["at"], pair["n"]) for pair in found["direct"]) == admitted


async def test_a_bucket_left_far_ahead_is_pulled_in(database: Database, store: LimitStore) -> None:
    limit = limit_per_second("account/sms", 20)
    granted = await store.reserve(limit, Ask(3))
    hour = 3_600_000_000
    log = [slot.entry_us + hour for slot in granted.slots]
    await database["limits"].update_one(
        {"_id": limit.key}, {"$set": {"log": log, "tail": granted.slots[-1].at_us + hour}}
    )
    refused = await store.reserve(limit, Ask(1))
    assert refused.slots == ()
    assert 0 < refused.retry_at_us - refused.now_us < 1_100_000


async def test_twenty_five_direct_sends_in_a_second_admit_twenty(store: LimitStore) -> None:
    limit = limit_per_second("account/sms", 20)
    async with Pacer(store) as pacer:
        first = await pacer.try_acquire([limit], 25)
        second = await pacer.try_acquire([limit], 1)
    assert (first.granted, second.granted) == (20, 0)
    assert 0 < second.retry_after_us <= 1_020_000


async def test_what_a_second_limit_refuses_is_taken_back_from_the_first(store: LimitStore) -> None:
    account, number = limit_per_second("account/sms", 20), limit_per_second("number/1", 4)
    async with Pacer(store) as pacer:
        assert (await pacer.try_acquire([account, number], 10)).granted == 4
        assert (await pacer.try_acquire([account], 20)).granted == 16


def most_in_second(times: list[float]) -> int:
    return max((sum(1 for t in times if at <= t < at + 1) for at in times), default=0)


async def send_for(pacer: Pacer, limits: list[Limit], until: float) -> list[float]:
    times: list[float] = []
    async with pacer.acquire(limits, 10_000) as permit:
        while time.monotonic() < until:
            await permit.wait()
            times.append(time.monotonic())
            permit.sent()
    return times


async def test_workers_share_the_rate_and_keep_every_window(database: Database) -> None:
    limit = limit_per_second("account/shared", 20)
    until = time.monotonic() + 6
    async with AsyncExitStack() as stack:
        # Their clocks disagree by seconds; only the server's counts.
        pacers = [
            await stack.enter_async_context(
                Pacer(LimitStore(database), lambda skew=skew: time.monotonic() + skew)  # type: ignore[misc]
            )
            for skew in (0, 5, -5)
        ]
        runs = await asyncio.gather(*(send_for(pacer, [limit], until) for pacer in pacers))
    times = sorted(time for run in runs for time in run)
    assert most_in_second(times) <= 20
    assert (len(times) - 1) / (times[-1] - times[0]) >= 19
    assert all(len(run) / len(times) == pytest.approx(1 / 3, abs=0.1) for run in runs)


async def test_a_part_passes_every_limit_that_applies(database: Database) -> None:
    account = limit_per_second("account/chain", 20)
    slow, fast = limit_per_second("run/slow", 5), limit_per_second("run/fast", 50)
    until = time.monotonic() + 4
    async with Pacer(LimitStore(database)) as one, Pacer(LimitStore(database)) as other:
        slow_run, fast_run = await asyncio.gather(
            send_for(one, [slow, account], until), send_for(other, [fast, account], until)
        )
    assert most_in_second(slow_run) <= 5
    assert most_in_second(slow_run + fast_run) <= 20
    assert len(slow_run) >= 14
    assert len(slow_run) + len(fast_run) >= 68


async def test_a_part_alone_is_reported_without_another_reservation(
    database: Database, store: LimitStore
) -> None:
    """Unreported it counts to the end of its grace: each code would cost a backlog a slot."""
    limit = limit_per_second("account/codes", 20)
    async with Pacer(store) as pacer:
        async with pacer.acquire([limit], 1) as permit:
            (await permit.wait())()

        async def is_settled() -> bool:
            (entry,) = (await bucket_of(database, limit.key))[0].log
            return entry % 2 == 1

        await eventually(is_settled)


async def test_unused_slots_are_given_back(database: Database, store: LimitStore) -> None:
    limit = limit_per_second("number/2", 100)
    async with Pacer(store) as pacer, pacer.acquire([limit], 10) as permit:
        await permit.wait()
    bucket, _ = await bucket_of(database, limit.key)
    assert len(bucket.log) == 1
    async with Pacer(store) as pacer, pacer.acquire([limit], 1) as permit:
        await permit.wait()
        with pytest.raises(ValueError, match="used up"):
            await permit.wait()


async def test_submissions_that_overlap_get_a_slot_each(store: LimitStore) -> None:
    limit = limit_per_second("number/3", 10)
    times: list[float] = []

    async def submit(permit: Permit) -> None:
        await permit.wait()
        times.append(time.monotonic())

    async with Pacer(store) as pacer, pacer.acquire([limit], 15) as permit:
        await asyncio.gather(*(submit(permit) for _ in range(15)))
    assert len(times) == 15
    assert most_in_second(times) <= 10


class FailingStore(LimitStore):
    """A store whose database is away between two moments."""

    away = (0.0, 0.0)

    async def reserve(self, limit: Limit, ask: Ask) -> Reservation:
        self._check()
        return await super().reserve(limit, ask)

    async def move(
        self, limit: Limit, entries: Collection[int], not_before_us: int, lead_us: int
    ) -> tuple[int, int, dict[int, int]]:
        self._check()
        return await super().move(limit, entries, not_before_us, lead_us)

    def _check(self) -> None:
        if self.away[0] <= time.monotonic() < self.away[1]:
            raise LimiterUnavailable("away")


async def test_nothing_is_sent_without_the_database_and_the_rate_recovers(
    database: Database,
) -> None:
    limit, failing = limit_per_second("account/away", 20), FailingStore(database)
    begun = time.monotonic()
    failing.away = (begun + 1, begun + 3)
    async with Pacer(failing) as pacer:
        times = await send_for(pacer, [limit], begun + 7)
    # A lease and the one asked for ahead were granted before.
    assert sum(1 for at in times if begun + 1 < at < begun + 3) <= 2 * limit.lease
    assert not [at for at in times if begun + 1.5 < at < begun + 3]
    after = [at for at in times if at >= begun + 5]
    assert (len(after) - 1) / (after[-1] - after[0]) >= 19
    assert most_in_second(times) <= 20


async def test_a_database_that_refuses_is_limiter_unavailable(mongo_uri: str) -> None:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
        "mongodb://127.0.0.1:1/", serverSelectionTimeoutMS=50
    )
    try:
        async with Pacer(LimitStore(client["none"])) as pacer:
            with pytest.raises(LimiterUnavailable):
                await pacer.try_acquire([limit_per_second("account/sms", 20)], 1)
    finally:
        client.close()
