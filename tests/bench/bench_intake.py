"""Event intake: PutEvents to stored and counted, against motor's own bulk insert of the documents.

Runs on servers of its own with service, consumer, broker, database and this client sharing the
machine: `python -m tests.bench.bench_intake [--events N] [--pairs N]`.
"""

import argparse
import asyncio
import contextlib
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from motor.motor_asyncio import AsyncIOMotorClient
from touchpoint.analytics.v1 import analytics_service_pb2 as pb
from touchpoint.analytics.v1.event_pb2 import Event, Session
from touchpoint.analytics.v1.events_pb2 import EventBatch

from deploy.local.environment import inherited
from services.analytics.consumer import _records
from services.analytics.store.events import _document
from services.analytics.store.schema import INDEXES
from tests.support import servers

PEER_TOKEN = "peer-token-of-the-bench"
METADATA = (("authorization", f"Peer {PEER_TOKEN}"),)
METHOD = "/touchpoint.analytics.v1.EventsService/PutEvents"
IN_FLIGHT = 16
SINGLES_IN_FLIGHT = 64


@dataclass(frozen=True)
class Site:
    mongo_uri: str
    amqp_url: str
    address: str
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def site() -> Iterator[Site]:
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.guarded_ledger(Path(folder) / "s") as own,
        servers.running_mongo(own) as mongo,
        servers.running_rabbit(own) as rabbit,
    ):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-m", "services.analytics"],
            env={
                **inherited(),
                "MONGO_URI": mongo.address,
                "AMQP_URL": rabbit.address,
                "GRPC_LISTEN": address,
                "PEER_TOKEN": PEER_TOKEN,
                "DRAIN_SECONDS": "0",
                "LOG_LEVEL": "WARNING",
            },
        )
        try:
            yield Site(mongo.address, rabbit.address, address, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def event(number: int, seconds: int) -> Event:
    """An app's event: four attributes, one metric, a session."""
    return Event(
        event_type=f"screen_{number % 10}",
        event_time=Timestamp(seconds=seconds - number % 3600, nanos=number % 1000 * 1_000_000),
        attributes={
            "screen": f"screen-{number % 50}",
            "plan": "premium" if number % 3 else "free",
            "version": "4.2.1",
            "source": "organic",
        },
        metrics={"load_ms": number % 700 + 0.5},
        session=Session(
            session_id=f"session-{number // 20}", start_time=Timestamp(seconds=seconds - 4000)
        ),
    )


def requests(app_id: str, count: int, size: int) -> list[bytes]:
    """Serialized PutEvents of `size` events each, of ten clients a request."""
    seconds = int(time.time())
    made = []
    for start in range(0, count, size):
        request = pb.PutEventsRequest(application_id=app_id)
        for number in range(start, start + size):
            item = request.batch_item[f"client-{start // size * 10 + number % 10}"]
            item.events[f"event-{number:012d}-{app_id[:12]}"].CopyFrom(event(number, seconds))
        made.append(request.SerializeToString())
    return made


async def ours(at: Site, database: Any, count: int, size: int, in_flight: int) -> tuple[float, ...]:
    """Events a second to stored and counted, to acknowledged, and CPU seconds of the service."""
    app_id = uuid.uuid4().hex
    waiting = iter(requests(app_id, count, size))
    before = cpu(at.process.pid)
    async with aio.insecure_channel(at.address) as channel:
        put: Any = channel.unary_unary(METHOD)
        await channel.channel_ready()
        started = time.perf_counter()

        async def feed() -> None:
            for request in waiting:
                await put(request, metadata=METADATA, timeout=60)

        await asyncio.gather(*(feed() for _ in range(in_flight)))
        acknowledged = time.perf_counter() - started
        while await counted(database, app_id) < count:  # noqa: ASYNC110 - another process counts
            await asyncio.sleep(0.02)
    stored = time.perf_counter() - started
    assert await database["events"].count_documents({"app_id": app_id}) == count
    return count / stored, count / acknowledged, (cpu(at.process.pid) - before) / count * 1e6


async def counted(database: Any, app_id: str) -> int:
    pipeline = [
        {"$match": {"app_id": app_id}},
        {"$group": {"_id": None, "sum": {"$sum": "$count"}}},
    ]
    found = await database["counters"].aggregate(pipeline).to_list(1)
    return int(found[0]["sum"]) if found else 0


def documents(count: int) -> list[dict[str, Any]]:
    app_id, seconds = uuid.uuid4().hex, int(time.time())
    batch = EventBatch()
    for number in range(count):
        one = batch.events.add()
        one.CopyFrom(event(number, seconds))
        one.event_id, one.application_id = f"event-{number:012d}-{app_id[:12]}", app_id
        one.client_id = f"client-{number // 100 * 10 + number % 10}"
        one.arrival_time.seconds = seconds
    return [_document(record) for record in _records(batch.SerializeToString())]


async def raw(collection: Any, count: int) -> tuple[float, float]:
    """Documents a second by insert_many of 1000, four at a time, and this process's CPU."""
    made = documents(count)
    chunks = iter([made[i : i + 1000] for i in range(0, count, 1000)])
    used = resource.getrusage(resource.RUSAGE_SELF)
    started = time.perf_counter()

    async def feed() -> None:
        for chunk in chunks:
            await collection.insert_many(chunk, ordered=False)

    await asyncio.gather(*(feed() for _ in range(4)))
    took = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_SELF)
    spent = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
    return count / took, spent / count * 1e6


def cpu(pid: int) -> float:
    """CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


async def ready(address: str) -> None:
    async with aio.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(aio.AioRpcError):
                answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            await asyncio.sleep(0.1)
    raise SystemExit("the service did not come up")


async def measure(at: Site, count: int, pairs: int) -> None:
    await ready(at.address)
    client: Any = AsyncIOMotorClient(at.mongo_uri, w="majority")
    database = client["touchpoint_analytics"]
    baseline = client["bench"]["events"]
    await baseline.create_indexes([index.model() for index in INDEXES["events"]])
    await raw(baseline, 5000)
    await ours(at, database, 5000, 100, IN_FLIGHT)
    rows = []
    for _ in range(pairs):
        rows.append((await raw(baseline, count), await ours(at, database, count, 100, IN_FLIGHT)))
        (base, base_cpu), (mine, taken, mine_cpu) = rows[-1]
        print(
            f"raw {base:9,.0f}/s ({base_cpu:4.1f} us CPU)   ours {mine:9,.0f}/s"
            f" (acknowledged {taken:,.0f}/s, {mine_cpu:4.1f} us CPU of the service)"
            f"   ratio {mine / base:.2f}"
        )
    singles, *_ = await ours(at, database, 10_000, 1, SINGLES_IN_FLIGHT)
    raws, mines = [r[0][0] for r in rows], [r[1][0] for r in rows]
    ratios = [m / r for r, m in zip(raws, mines, strict=True)]
    print(f"median: raw {statistics.median(raws):,.0f}/s, ours {statistics.median(mines):,.0f}/s")
    print(f"ratio: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")
    print(f"one event a request, {SINGLES_IN_FLIGHT} in flight: {singles:,.0f}/s")
    client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--pairs", type=int, default=3)
    asked = parser.parse_args()
    with site() as at:
        asyncio.run(measure(at, asked.events, asked.pairs))


if __name__ == "__main__":
    main()
