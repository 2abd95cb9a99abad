"""Segments over a million endpoints, end to end, beside DuckDB and a raw scan.

MongoDB, RabbitMQ, endpoints and segmentation run as processes of their own; endpoints go in through
the bulk path of the endpoints service. Then five typical segments are estimated and streamed by a
gRPC client of the segmentation service; in the same run and on the same data by AudienceService
directly (what the way through segmentation costs), by DuckDB on a column table with two threads,
and a raw scan of the whole collection by the driver alone.

    python tests/bench/bench_segments.py --size 1000000

Streamed members are complete, with the serialized endpoint; DuckDB's are tuples of six columns.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb
from pydantic import SecretStr
from touchpoint.endpoints.v1 import audience_service_pb2 as audience_pb
from touchpoint.endpoints.v1 import audience_service_pb2_grpc as audience_rpc
from touchpoint.segmentation.v1 import segment_pb2
from touchpoint.segmentation.v1 import segmentation_service_pb2 as pb
from touchpoint.segmentation.v1 import segmentation_service_pb2_grpc as rpc

from deploy.local.procfile import read
from libs.chassis.client import open_channel
from libs.chassis.config import Settings
from libs.mongo.client import new_client
from libs.timestamps import from_timestamp
from services.endpoints.clients import Consent
from services.endpoints.domain.limits import Limits
from services.endpoints.store import endpoints as endpoint_store
from services.endpoints.store.audience import AudienceStore
from services.endpoints.store.endpoints import EndpointStore
from services.endpoints.store.names import NameStore
from services.endpoints.store.removals import RemovalStore
from services.endpoints.usecases.upsert import Upserts
from tests.bench import bench_audience
from tests.bench.bench_audience import APP, NOW, Contest
from tests.support.estate import ROOT, Estate, Plan, estate

RUNNING = {"endpoints", "segmentation"}
ATTRIBUTE, FACTS, METRIC = (
    segment_pb2.AttributeDimension,
    segment_pb2.SetDimension,
    segment_pb2.MetricDimension,
)
WAYS = (
    "estimate",
    "duck count",
    "stream",
    "audience stream",
    "duck stream",
    "raw scan",
)


def segments() -> dict[str, segment_pb2.Segment]:
    """The five segments of bench_audience, as an author writes them; and everybody."""
    one, three = segment_pb2.SegmentDimensions(), segment_pb2.SegmentDimensions()
    one.location.country.values.append("JP")
    one.demographic.app_version.CopyFrom(
        FACTS(dimension_type=FACTS.DIMENSION_TYPE_VERSION_GTE, values=["2.0"])
    )
    three.metrics["spend"].CopyFrom(
        METRIC(comparison_operator=METRIC.COMPARISON_OPERATOR_GREATER_THAN, value=100)
    )
    recency = segment_pb2.RecencyDimension
    three.behavior.recency.CopyFrom(
        recency(duration=recency.DURATION_DAY_7, recency_type=recency.RECENCY_TYPE_INACTIVE)
    )
    two, five = segment_pb2.SegmentDimensions(), segment_pb2.SegmentDimensions()
    two.user_attributes["Tier"].values.extend(["gold", "vip"])
    contains = ATTRIBUTE.ATTRIBUTE_TYPE_CONTAINS
    two.attributes["Interests"].CopyFrom(ATTRIBUTE(attribute_type=contains, values=["Music"]))
    five.attributes["Plan"].values.append("pro")
    five.attributes["City"].CopyFrom(ATTRIBUTE(attribute_type=contains, values=["ew"]))
    five.demographic.platform.CopyFrom(
        FACTS(dimension_type=FACTS.DIMENSION_TYPE_EXCLUSIVE, values=["Android"])
    )
    four = segment_pb2.SegmentGroupList(include=segment_pb2.COMBINATION_ANY)
    four.groups.add().dimensions.append(one)
    four.groups.add().dimensions.append(three)
    made = {
        "JP and app >= 2.0": segment_pb2.Segment(dimensions=one),
        "gold or vip, likes music": segment_pb2.Segment(dimensions=two),
        "spend > 100, idle 7 days": segment_pb2.Segment(dimensions=three),
        "first or third": segment_pb2.Segment(segment_groups=four),
        "pro, not Android, city ew": segment_pb2.Segment(dimensions=five),
        "everybody": segment_pb2.Segment(dimensions=segment_pb2.SegmentDimensions()),
    }
    for name, segment in made.items():
        segment.name = name
    return made


@dataclass(frozen=True)
class Bench:
    """The client's side, and the others on the same data."""

    segmentation: Any
    audience: Any
    contest: Contest

    async def ask(self, reference: segment_pb2.SegmentReference, sql: str, rounds: int) -> None:
        compiled = await self.segmentation.CompileSegment(
            pb.CompileSegmentRequest(application_id=APP, reference=reference)
        )
        moment = from_timestamp(compiled.evaluation_time)
        assert moment is not None
        old, new = (f"{t - timedelta(days=7):%Y-%m-%d %H:%M:%S}" for t in (NOW, moment))
        sql = sql.replace(old, new)
        ways: dict[str, Callable[[], Awaitable[int]]] = {
            "estimate": lambda: self.estimate(reference),
            "duck count": lambda: self.contest.duck_count(None, sql),  # type: ignore[arg-type]
            "stream": lambda: self.stream(reference),
            "audience stream": lambda: self.audience_stream(compiled.filter),
            "duck stream": lambda: self.contest.duck_stream(None, sql),  # type: ignore[arg-type]
            "raw scan": lambda: self.contest.raw_scan(None, sql),  # type: ignore[arg-type]
        }
        seconds: dict[str, list[float]] = {way: [] for way in WAYS}
        answers: dict[str, int] = {}
        for _ in range(rounds):
            for way, action in ways.items():
                answers[way], taken = await bench_audience.timed(action)
                seconds[way].append(taken)
        report({way: statistics.median(taken) for way, taken in seconds.items()}, answers)

    async def estimate(self, reference: segment_pb2.SegmentReference) -> int:
        answer = await self.segmentation.EstimateSegment(
            pb.EstimateSegmentRequest(application_id=APP, reference=reference)
        )
        return int(answer.total_count)

    async def stream(self, reference: segment_pb2.SegmentReference) -> int:
        request = pb.StreamSegmentMembersRequest(application_id=APP, reference=reference)
        return await drained(self.segmentation.StreamSegmentMembers(request))

    async def audience_stream(self, asked: Any) -> int:
        request = audience_pb.StreamAudienceRequest(application_id=APP, filter=asked)
        return await drained(self.audience.StreamAudience(request))


async def drained(call: Any) -> int:
    return sum([len(batch.members) async for batch in call])


def report(middle: dict[str, float], answers: dict[str, int]) -> None:
    members = answers["stream"]
    for way in WAYS[:-1]:
        # Idle people become more by the minute while the bench runs.
        assert abs(answers[way] - members) <= max(20, members // 1000), answers
    for way in WAYS:
        rate = "" if "count" in way or way in {"estimate", "raw scan"} else members / middle[way]
        told = f"{rate:12,.0f} members/s" if rate else ""
        print(f"  {way:16} {middle[way] * 1000:9.1f} ms {told}")
    print(
        f"  estimate / duck {middle['estimate'] / middle['duck count']:.1f};"
        f" stream / duck {middle['stream'] / middle['duck stream']:.2f},"
        f" / audience {middle['stream'] / middle['audience stream']:.2f},"
        f" / raw scan {middle['stream'] / middle['raw scan']:.2f}",
        flush=True,
    )


async def main(size: int, rounds: int, running: Estate) -> None:
    async with AsyncExitStack() as stack:
        mongo = new_client(running.env["MONGO_URI"], "bench")
        stack.callback(mongo.close)
        database = mongo.get_database(f"{running.env['DATABASE_PREFIX']}endpoints")
        store = EndpointStore(database)
        upserts = Upserts(
            store, NameStore(database, 250), RemovalStore(database, 20), Consent(None), Limits()
        )
        pace = await bench_audience.load(upserts, 0, size, "bench")
        rate = pace.rows / pace.wall_seconds
        print(f"{size:,} endpoints loaded, {rate:,.0f}/s", flush=True)
        begin = time.perf_counter()
        duck: duckdb.DuckDBPyConnection = bench_audience.duck_table(size)
        print(f"DuckDB table in {time.perf_counter() - begin:.0f} s", flush=True)
        settings = Settings(peer_token=SecretStr(running.env["PEER_TOKEN"]))
        segmentation = rpc.SegmentationServiceStub(
            open_channel(settings, running.address("segmentation"), stack)
        )
        audience = audience_rpc.AudienceServiceStub(
            open_channel(settings, running.address("endpoints"), stack)
        )
        contest = Contest(AudienceStore(database), database[endpoint_store.COLLECTION], duck)
        bench = Bench(segmentation, audience, contest)
        sqls = {name: sql for name, (_, sql) in bench_audience.segments().items()}
        for name, segment in segments().items():
            made: Any = await segmentation.CreateSegment(
                pb.CreateSegmentRequest(application_id=APP, segment=segment)
            )
            print(name, flush=True)
            reference = segment_pb2.SegmentReference(segment_id=made.segment.segment_id)
            await bench.ask(reference, sqls.get(name, "true"), rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    others = {line.name for line in read(ROOT / "deploy" / "Procfile")} - RUNNING
    with estate(Plan(without=frozenset(others))) as installation:
        asyncio.run(main(given.size, given.rounds, installation))
