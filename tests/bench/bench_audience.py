"""Audiences of a million endpoints: written, counted and streamed, beside DuckDB and a raw scan.

Endpoints go in through the service's own bulk path. Then, interleaved in the same run and on the
same data: counts and streams of five typical segments by our stores, by DuckDB on a column table
with two threads, and a raw scan of the collection by the driver alone; last the stream end to end
over gRPC to a client in a process of its own.

    python tests/bench/bench_audience.py --mongo-uri mongodb://127.0.0.1:27017/?replicaSet=rs0

DuckDB streams tuples of six short columns; ours stream complete members with the serialized
endpoint, which is more.
"""

import argparse
import asyncio
import csv
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
from grpc import aio
from pydantic import SecretStr
from touchpoint.endpoints.v1 import audience_service_pb2 as pb
from touchpoint.endpoints.v1 import audience_service_pb2_grpc as rpc
from touchpoint.endpoints.v1 import endpoint_filter_pb2 as filters

from libs.chassis.config import Settings as ChassisSettings
from libs.chassis.run import _PeersOnly
from libs.chassis.server import Server, Service
from libs.clock import SystemClock
from libs.mongo.client import new_client
from libs.mongo.indexes import ensure_clustered, ensure_indexes
from services.endpoints.clients import Consent
from services.endpoints.domain.endpoint import Change, Occasion
from services.endpoints.domain.filters import Filter
from services.endpoints.domain.identity import (
    application_range,
    cohort_of,
    document_id,
    shard_range,
)
from services.endpoints.domain.limits import Limits
from services.endpoints.domain.merge import merged
from services.endpoints.domain.versions import version_key
from services.endpoints.servicer.audience import AudienceServicer
from services.endpoints.servicer.decoding import filter_of
from services.endpoints.setup import calm_collector
from services.endpoints.store import endpoints as endpoint_store
from services.endpoints.store.audience import AudienceStore
from services.endpoints.store.documents import to_document
from services.endpoints.store.endpoints import EndpointStore
from services.endpoints.store.names import NameStore
from services.endpoints.store.removals import RemovalStore
from services.endpoints.usecases.upsert import Upserts

APP = "b" * 32
TOKEN = "peer-token-of-the-bench"
ROWS_AT_ONCE = 500
CALLERS = 4
CHUNK = 20_000
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
COUNTRIES = ["US"] * 40 + ["DE"] * 15 + ["JP"] * 10 + ["FR"] * 10 + ["BR"] * 15 + ["IN"] * 10
CITIES = ["New York", "Newcastle", "Tokyo", "Osaka", "Berlin", "Paris", "Recife", "Delhi", "Lyon"]
INTERESTS = ["Music", "Books", "Sports", "Travel", "LiveMusic", "Food", "Games"]
TIERS = ["none"] * 80 + ["silver"] * 10 + ["gold"] * 7 + ["vip"] * 3
COLUMNS = [
    "endpoint_id",
    "channel",
    "address",
    "user_id",
    "timezone",
    "cohort",
    "country",
    "version_key",
    "tier",
    "interests",
    "spend",
    "last_activity",
    "plan",
    "platform",
    "city",
]


def change(n: int) -> Change:
    """The n-th endpoint: always the same."""
    dice = random.Random(n)
    email = dice.random() < 0.7
    return Change(
        f"endpoint-{n:08d}",
        "EMAIL" if email else "GCM",
        f"person{n}@example.com" if email else f"token-{n:032x}",
        {
            "Interests": tuple(dice.sample(INTERESTS, dice.randint(1, 3))),
            "Plan": (dice.choice(("free", "free", "pro")),),
            "City": (dice.choice(CITIES),),
        },
        {"spend": round(dice.expovariate(1 / 60), 2)},
        {
            "app_version": f"{dice.randint(1, 3)}.{dice.randint(0, 12)}.{dice.randint(0, 4)}",
            "platform": dice.choice(("Android", "iOS")),
            "timezone": "Europe/Berlin",
        },
        {"country": dice.choice(COUNTRIES)},
        {},
        f"user-{n // 2:08d}",
        {"Tier": (dice.choice(TIERS),)} if n % 2 == 0 else {},
        opted_out=dice.random() < 0.05,
        effective_date=NOW - timedelta(minutes=dice.randint(0, 60 * 24 * 60)),
    )


def segments() -> dict[str, tuple[filters.EndpointFilter, str]]:
    """Five typical segments: as a filter and as SQL."""
    node = filters.EndpointFilter

    def text(field: Any, operator: Any, values: Sequence[str], name: str = "") -> Any:
        return node(text=filters.TextTest(field=field, name=name, operator=operator, values=values))

    def all_of(*parts: Any) -> Any:
        return node(all_of=filters.FilterGroup(filters=parts))

    within, without = filters.TextTest.OPERATOR_IN, filters.TextTest.OPERATOR_NOT_IN
    contains = filters.TextTest.OPERATOR_CONTAINS
    attribute, of_user = filters.FILTER_FIELD_ATTRIBUTE, filters.FILTER_FIELD_USER_ATTRIBUTE
    version = filters.VersionTest(
        field=filters.FILTER_FIELD_APP_VERSION,
        comparison=filters.COMPARISON_GREATER_THAN_OR_EQUAL,
        version="2.0",
    )
    idle = filters.ActivityTest(active=False)
    idle.since_time.FromDatetime(NOW - timedelta(days=7))
    spend = filters.NumberTest(name="spend", comparison=filters.COMPARISON_GREATER_THAN, value=100)
    one = all_of(text(filters.FILTER_FIELD_COUNTRY, within, ["JP"]), node(version=version))
    two = all_of(
        text(of_user, within, ["gold", "vip"], "Tier"),
        text(attribute, contains, ["Music"], "Interests"),
    )
    three = all_of(node(number=spend), node(activity=idle))
    five = all_of(
        text(attribute, within, ["pro"], "Plan"),
        text(filters.FILTER_FIELD_PLATFORM, without, ["Android"]),
        text(attribute, contains, ["ew"], "City"),
    )
    sql_one = f"country = 'JP' AND version_key >= '{version_key('2.0')}'"
    since = (NOW - timedelta(days=7)).strftime("%Y-%m-%d %H:%M:%S")
    sql_three = f"spend > 100 AND last_activity < TIMESTAMP '{since}'"
    return {
        "JP and app >= 2.0": (one, sql_one),
        "gold or vip, likes music": (
            two,
            "tier IN ('gold', 'vip')"
            " AND len(list_filter(interests, lambda x: contains(x, 'Music'))) > 0",
        ),
        "spend > 100, idle 7 days": (three, sql_three),
        "first or third": (
            node(any_of=filters.FilterGroup(filters=[one, three])),
            f"({sql_one}) OR ({sql_three})",
        ),
        "pro, not Android, city ew": (
            five,
            "plan = 'pro' AND platform <> 'Android' AND contains(city, 'ew')",
        ),
    }


def row(n: int, tiers: dict[str, str]) -> list[Any]:
    """The n-th endpoint as DuckDB's table holds it."""
    c = change(n)
    user = c.user_id or ""
    tiers.update({user: c.user_attributes["Tier"][0]} if c.user_attributes else {})
    return [
        c.endpoint_id,
        c.channel_type,
        c.address,
        user,
        c.demographic["timezone"],
        cohort_of(APP, c.endpoint_id),
        c.place["country"],
        version_key(c.demographic["app_version"]),
        tiers[user],
        "|".join(c.attributes["Interests"]),
        c.metrics["spend"],
        f"{c.effective_date:%Y-%m-%d %H:%M:%S}",
        c.attributes["Plan"][0],
        c.demographic["platform"],
        c.attributes["City"][0],
    ]


def duck_table(count: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 2})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "endpoints.csv")
        with path.open("w", newline="") as file:
            tiers: dict[str, str] = {}
            csv.writer(file).writerows(row(n, tiers) for n in range(count))
        names = ", ".join(f"column{n:02d} AS {name}" for n, name in enumerate(COLUMNS))
        connection.execute(
            f"CREATE TABLE t AS SELECT * REPLACE (string_split(interests, '|') AS interests)"
            f" FROM (SELECT {names} FROM read_csv('{path}', header = false))"
        )
    return connection


@dataclass(frozen=True)
class Pace:
    """What writing took, a row: wall time, and time on the processor of this process."""

    rows: int
    wall_seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        rate = self.rows / self.wall_seconds
        return f"{rate:,.0f}/s, {self.cpu_seconds / self.rows * 1e6:.0f} us of processor a row"


async def measured(rows: int, writers: Sequence[Awaitable[None]]) -> Pace:
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*writers)
    return Pace(rows, time.perf_counter() - wall, time.process_time() - cpu)


async def write(upserts: Upserts, parts: Iterable[Sequence[Change]], request_id: str) -> None:
    for part in parts:
        outcomes = await upserts.apply(Occasion(APP, request_id, NOW), part)
        assert all(o.endpoint is not None for o in outcomes)


async def load(upserts: Upserts, start: int, count: int, request_id: str) -> Pace:
    """Endpoints through the bulk path by callers side by side; making the data is not counted."""
    total = Pace(0, 0.0, 0.0)
    for first in range(start, start + count, CHUNK):
        last = min(first + CHUNK, start + count)
        changes = [change(n) for n in range(first, last)]
        parts = [changes[n : n + ROWS_AT_ONCE] for n in range(0, len(changes), ROWS_AT_ONCE)]
        writers = [write(upserts, parts[n::CALLERS], request_id) for n in range(CALLERS)]
        pace = await measured(len(changes), writers)
        total = Pace(
            total.rows + pace.rows,
            total.wall_seconds + pace.wall_seconds,
            total.cpu_seconds + pace.cpu_seconds,
        )
    return total


async def anchor(database: Any, count: int) -> Pace:
    """The driver alone, inserting the same documents under the same indexes."""
    name = "anchor"
    await ensure_clustered(database, name)
    await ensure_indexes(database, {name: endpoint_store.INDEXES[endpoint_store.COLLECTION]})
    occasion = Occasion(APP, "anchor", NOW)
    made = [merged(None, change(n), occasion) for n in range(count)]
    documents = [
        to_document(document_id(APP, e.endpoint_id), e, e.effective_date, ()) for e in made
    ]

    async def insert(parts: Iterable[Sequence[Any]]) -> None:
        for part in parts:
            await database[name].insert_many(part, ordered=False)

    parts = [documents[n : n + ROWS_AT_ONCE] for n in range(0, count, ROWS_AT_ONCE)]
    pace = await measured(count, [insert(parts[n::CALLERS]) for n in range(CALLERS)])
    await database.drop_collection(name)
    return pace


async def writing(upserts: Upserts, database: Any, count: int, rounds: int) -> None:
    """New endpoints beside the anchor, interleaved; then the rest; then known endpoints."""
    part = min(20_000, count // (2 * rounds))
    ratios = []
    for turn in range(rounds):
        ours, driver = await load(upserts, turn * part, part, "first"), await anchor(database, part)
        ratios.append(driver.wall_seconds / ours.wall_seconds)
        print(f"new endpoints: {ours}; insert_many alone: {driver}", flush=True)
    print(f"new endpoints, median of ratios to insert_many: {statistics.median(ratios):.2f}")
    rest = await load(upserts, rounds * part, count - rounds * part, "first")
    print(f"new endpoints, the rest: {rest}", flush=True)
    print(f"known endpoints: {await load(upserts, 0, part, 'again')}", flush=True)


async def timed(action: Callable[[], Awaitable[int]]) -> tuple[int, float]:
    begin = time.perf_counter()
    result = await action()
    return result, time.perf_counter() - begin


class Contest:
    """One segment, asked in every way."""

    def __init__(self, store: AudienceStore, raw: Any, duck: duckdb.DuckDBPyConnection) -> None:
        self.store, self.raw, self.duck = store, raw, duck

    async def ours_count(self, asked: Filter, _: str) -> int:
        return sum((await self.store.tally(APP, asked)).values())

    async def duck_count(self, _: Filter, sql: str) -> int:
        found = self.duck.execute(
            "SELECT channel, count(*), count(*) FILTER (address <> '') FROM t"
            f" WHERE {sql} GROUP BY channel"
        ).fetchall()
        return sum(r[1] for r in found)

    async def ours_stream(self, asked: Filter, _: str) -> int:
        count = 0
        async for members in self.store.members(shard_range(APP, 0, 1), asked, 1000):
            count += len(members)
        return count

    async def duck_stream(self, _: Filter, sql: str) -> int:
        count = 0
        self.duck.execute(
            f"SELECT endpoint_id, channel, address, user_id, timezone, cohort FROM t WHERE {sql}"
        )
        while rows := self.duck.fetchmany(1000):
            count += len(rows)
        return count

    async def raw_scan(self, _: Filter, __: str) -> int:
        """Every document of the application, its members raw, without a filter."""
        ids = application_range(APP)
        query = {"_id": {"$gte": ids.low, "$lt": ids.high}}
        size = 0
        async for batch in self.raw.find_raw_batches(
            query, {"_id": 0, "member": 1}, batch_size=1000
        ):
            size += len(batch)
        return size


WAYS = ("ours_count", "duck_count", "ours_stream", "duck_stream", "raw_scan")


async def contest(players: Contest, rounds: int, count: int) -> None:
    for name, (message, sql) in segments().items():
        asked = filter_of(message)
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        answers: dict[str, int] = {}
        for _ in range(rounds):
            for way in WAYS:
                action = partial(getattr(players, way), asked, sql)
                answers[way], taken = await timed(action)
                seconds[way].append(taken)
        members = answers["ours_stream"]
        same = {answers[way] for way in WAYS if way != "raw_scan"}
        assert same == {members}, (name, answers)
        middle = {way: statistics.median(taken) for way, taken in seconds.items()}
        print(f"{name}: {members} members")
        for way in WAYS:
            print(
                f"  {way:12} {middle[way] * 1000:9.1f} ms {seconds_of(way, middle, members, count)}"
            )
        print(
            f"  ours / duck: count {middle['ours_count'] / middle['duck_count']:.1f},"
            f" stream {middle['ours_stream'] / middle['duck_stream']:.2f};"
            f" stream / raw scan {middle['ours_stream'] / middle['raw_scan']:.2f}",
            flush=True,
        )


def seconds_of(way: str, middle: dict[str, float], members: int, count: int) -> str:
    rate = {"raw_scan": count}.get(way, members) / middle[way]
    return "" if way.endswith("count") else f"{rate:12,.0f} members/s"


async def serve(store: AudienceStore, endpoints: EndpointStore) -> Server:
    settings = ChassisSettings(peer_token=SecretStr(TOKEN))
    service = Service(
        "touchpoint.endpoints.v1.AudienceService",
        rpc.add_AudienceServiceServicer_to_server,
        AudienceServicer(store, endpoints, SystemClock()),
    )
    server = Server(settings, _PeersOnly(), [service])
    await server.start()
    await server.serve()
    return server


async def client(address: str, which: str) -> None:
    """The other end: reads a stream and tells how it went."""
    async with aio.insecure_channel(address) as channel:
        stub = rpc.AudienceServiceStub(channel)
        asked = segments()[which][0] if which else None
        request = pb.StreamAudienceRequest(application_id=APP, filter=asked)
        begin, first, count = time.perf_counter(), 0.0, 0
        metadata = (("authorization", f"Peer {TOKEN}"),)
        async for batch in stub.StreamAudience(request, metadata=metadata):
            first = first or time.perf_counter() - begin
            count += len(batch.members)
        taken = time.perf_counter() - begin
    name = which or "everybody"
    print(
        f"  gRPC {name}: {count} in {taken:.2f} s, {count / taken:,.0f} members/s,"
        f" first batch {first * 1000:.0f} ms"
    )


def clients(address: str) -> Iterator[list[str]]:
    for which in ("", *segments()):
        yield [sys.executable, __file__, "--client", address, "--which", which]


async def main(arguments: argparse.Namespace) -> None:
    calm_collector()
    async with AsyncExitStack() as stack:
        mongo = new_client(arguments.mongo_uri, "bench")
        stack.callback(mongo.close)
        database = mongo.get_database(arguments.database)
        if not arguments.keep:
            await mongo.drop_database(arguments.database)
        await ensure_clustered(database, endpoint_store.COLLECTION)
        await ensure_indexes(database, endpoint_store.INDEXES)
        store, limits = EndpointStore(database), Limits()
        upserts = Upserts(
            store, NameStore(database, 250), RemovalStore(database, 20), Consent(None), limits
        )
        if not arguments.keep:
            await writing(upserts, database, arguments.count, arguments.rounds)
        duck = duck_table(arguments.count)
        audience = AudienceStore(database)
        players = Contest(audience, database[endpoint_store.COLLECTION], duck)
        await contest(players, arguments.rounds, arguments.count)
        server = await serve(audience, store)
        for command in clients(f"127.0.0.1:{server.port}"):
            await asyncio.to_thread(subprocess.run, command, check=True)
        await server.stop(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mongo-uri", default="mongodb://127.0.0.1:27017/?replicaSet=rs0")
    parser.add_argument("--database", default="touchpoint_bench_audience")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="use the endpoints of the last run")
    parser.add_argument("--client", default="")
    parser.add_argument("--which", default="")
    given = parser.parse_args()
    asyncio.run(client(given.client, given.which) if given.client else main(given))
