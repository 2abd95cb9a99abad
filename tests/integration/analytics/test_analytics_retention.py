"""Ninety days (spec 10.7): what is older goes by itself, what a figure may ask for stays."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libs.clock import FakeClock
from libs.mongo.client import new_client
from libs.mongo.indexes import ensure_indexes
from services.analytics.domain.counting import DAY_SECONDS, Fact, Key, Record
from services.analytics.domain.kpis import Slice
from services.analytics.scheduler import Purging
from services.analytics.store.events import APP_NAME, EventStore, Listing
from services.analytics.store.retention import Retention
from services.analytics.store.schema import INDEXES
from services.analytics.usecases import Recorder
from tests.integration.analytics.serving import until

pytestmark = pytest.mark.servers

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.fixture
async def database(mongo_uri: str, database_prefix: str) -> AsyncIterator[Any]:
    mongo = new_client(mongo_uri, APP_NAME)
    made = mongo[f"{database_prefix}analytics_retention"]
    await ensure_indexes(made, INDEXES)
    yield made
    mongo.close()


def records(app_id: str, ages: Sequence[timedelta]) -> list[Record]:
    made = []
    for age in ages:
        seconds = int((NOW - age).timestamp())
        key = Key(app_id, "", "", "", "bought", "", "", "", seconds // DAY_SECONDS)
        made.append(Record(uuid.uuid4().bytes, "e", seconds * 1000, b"", Fact(key)))
    return made


async def ages(store: EventStore, app_id: str) -> list[timedelta]:
    listed = await store.listed(Listing(app_id), 5000)
    return [NOW - one.event_time.astimezone(UTC) for one in listed]


async def test_what_is_older_than_any_figure_is_purged(database: Any) -> None:
    app_id, other, store = uuid.uuid4().hex, uuid.uuid4().hex, EventStore(database)
    day, second = timedelta(days=1), timedelta(seconds=1)
    # More than one round of deletes, and counters of many days.
    old = [91 * day + second + n * timedelta(minutes=10) for n in range(2500)]
    kept = [0 * day, 89 * day, 90 * day, 91 * day - second]
    recorder = Recorder(store, 1)
    await recorder.record(records(app_id, [*kept, *old]) + records(other, kept[:1]))
    before = await store.counts(Slice(app_id))
    assert sum(count.figures.count for count in before) == len(kept) + len(old)
    stopping = asyncio.Event()
    purging = [Purging(Retention(database), FakeClock(NOW)).run for _ in range(2)]

    async def gone() -> bool:
        left = await ages(store, app_id)
        oldest = min(count.day for count in await store.counts(Slice(app_id)))
        return len(left) == len(kept) and oldest == int((NOW - 91 * day).timestamp()) // DAY_SECONDS

    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(run(stopping)) for run in purging]
        await until(gone)
        assert not any(task.done() for task in running)  # they wait for the next hour
        stopping.set()
    assert await ages(store, app_id) == kept
    assert len(await ages(store, other)) == 1
    # The days that figures may ask for are counted as before.
    first = int((NOW - 91 * day).timestamp()) // DAY_SECONDS
    days = {count.day: count.figures.count for count in await store.counts(Slice(app_id))}
    assert days == {count.day: count.figures.count for count in before if count.day >= first}


async def test_purging_leaves_what_is_young_alone(database: Any) -> None:
    app_id, store = uuid.uuid4().hex, EventStore(database)
    await Recorder(store, 1).record(records(app_id, [timedelta(0)]))
    retention = Retention(database)
    assert app_id in await retention.applications()
    assert await retention.purge_events(app_id, NOW) == 0
    assert await retention.purge_counters(app_id, NOW) == 0
    assert len(await ages(store, app_id)) == 1
