"""Measures the limiter with real worker processes; the provider's kernel takes the timestamps.

python tests/bench/bench_limiter.py --mongo-uri mongodb://127.0.0.1:27017/?directConnection=true
"""

import argparse
import asyncio
import itertools
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection
from typing import Any

import uvloop
from motor.motor_asyncio import AsyncIOMotorClient

from services.messaging.domain.limits import Ask, Limit, Reservation, limit_per_second
from services.messaging.store.limits import LimitStore
from services.messaging.usecases.pacing import Pacer

SO_TIMESTAMPNS = 35
DATABASE = "bench_limiter"


class CountingStore(LimitStore):
    """Counts the database operations of a worker."""

    operations = 0
    moves = 0

    async def reserve(self, limit: Limit, ask: Ask) -> Reservation:
        self.operations += 1
        return await super().reserve(limit, ask)

    async def move(
        self, limit: Limit, entries: Collection[int], not_before_us: int, lead_us: int
    ) -> tuple[int, int, dict[int, int]]:
        self.operations += 1
        self.moves += 1
        return await super().move(limit, entries, not_before_us, lead_us)

    async def server_now(self, limit: Limit) -> int | None:
        self.operations += 1
        return await super().server_now(limit)


async def work(args: argparse.Namespace) -> None:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
        args.mongo_uri, serverSelectionTimeoutMS=1000
    )
    store = CountingStore(client[DATABASE])
    pacer = Pacer(store, lambda: time.monotonic() + args.skew)
    limit = limit_per_second("account/sms", args.rate)
    provider = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    provider.connect(("127.0.0.1", args.port))
    async with pacer:
        while True:
            async with pacer.acquire([limit], 500) as permit:
                for _ in range(500):
                    await permit.wait()
                    provider.send(struct.pack("!III", args.worker, store.operations, store.moves))
                    permit.sent()


def burn() -> None:
    while True:
        sum(range(10_000))


class Provider:
    """A UDP socket whose messages carry the time at which the kernel received them."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.received: list[tuple[int, int, int, int]] = []

    def await_workers(self, count: int) -> None:
        """Wait until every worker has sent, and two seconds more; forget what came."""
        deadline = time.monotonic() + 120
        while len({row[1] for row in self.received}) < count and time.monotonic() < deadline:
            self.receive_until(time.monotonic() + 0.2)
        self.receive_until(time.monotonic() + 2)
        self.received.clear()

    def receive_until(self, deadline: float) -> None:
        while time.monotonic() < deadline:
            try:
                data, ancillary, _, _ = self.socket.recvmsg(64, 64)
            except TimeoutError:
                continue
            seconds, nanos = struct.unpack("qq", ancillary[0][2][:16])
            self.received.append((seconds * 10**9 + nanos, *struct.unpack("!III", data)))


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, __file__, *map(str, arguments)])


def start_worker(
    args: argparse.Namespace, provider: Provider, number: int
) -> subprocess.Popen[bytes]:
    # Each worker's clock is off by some seconds: only the server's may count.
    skew = (0.0, 5.0, -5.0)[number % 3]
    port = provider.socket.getsockname()[1]
    return start(
        "work", "--mongo-uri", args.mongo_uri, "--rate", args.rate, "--port", port,
        "--worker", number, "--skew", skew,
    )  # fmt: skip


def max_in_second(times: list[int]) -> int:
    most, tail = 0, 0
    for head, at in enumerate(times):
        while at - times[tail] >= 10**9:
            tail += 1
        most = max(most, head - tail + 1)
    return most


async def forget(mongo_uri: str) -> None:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(mongo_uri)
    await client.drop_database(DATABASE)
    client.close()


def run(args: argparse.Namespace) -> dict[str, Any]:
    asyncio.run(forget(args.mongo_uri))
    provider = Provider()
    workers = [start_worker(args, provider, number) for number in range(args.workers)]
    frozen = (0, 0)
    burners = [start("burn") for _ in range(args.burn)]
    try:
        provider.await_workers(args.workers)
        begun = time.monotonic()
        if args.kill:
            provider.receive_until(begun + args.seconds / 3)
            workers[0].send_signal(signal.SIGKILL)
            provider.receive_until(begun + args.seconds * 2 / 3)
            workers.append(start_worker(args, provider, args.workers))
        if args.freeze:
            provider.receive_until(begun + args.seconds / 3)
            frozen = freeze(args.freeze, provider)
        provider.receive_until(begun + args.seconds)
    finally:
        for process in (*workers, *burners):
            process.kill()
            process.wait()
    told = figures(args, provider.received)
    return told | (after_freeze(args, provider.received, *frozen) if args.freeze else {})


def freeze(pid: int, provider: Provider) -> tuple[int, int]:
    """Stop the database for five seconds; returns when it stopped and went on."""
    begun = time.time_ns()
    os.kill(pid, signal.SIGSTOP)
    provider.receive_until(time.monotonic() + 5)
    os.kill(pid, signal.SIGCONT)
    return begun, time.time_ns()


def after_freeze(
    args: argparse.Namespace, received: list[tuple[int, int, int, int]], begun: int, ended: int
) -> dict[str, Any]:
    times = [row[0] for row in received]
    later = [at for at in times if ended + 2 * 10**9 <= at]
    return {
        "sent_while_frozen": sum(1 for at in times if begun <= at < ended),
        "last_sent_after_freeze_ms": (max(at for at in times if at < ended) - begun) // 10**6,
        "first_sent_after_thaw_ms": (min(at for at in times if at >= ended) - ended) // 10**6,
        "mean_from_2s_after_thaw": round((len(later) - 1) / ((later[-1] - later[0]) / 1e9), 3),
    }


def figures(args: argparse.Namespace, received: list[tuple[int, int, int, int]]) -> dict[str, Any]:
    received.sort()
    times = [row[0] for row in received]
    rate = (len(times) - 1) / ((times[-1] - times[0]) / 1e9)
    counts = Counter(row[1] for row in received)
    seen = {w: [row for row in received if row[1] == w] for w in counts}
    operations = sum(rows[-1][2] - rows[0][2] for rows in seen.values())
    pauses = [b - a for a, b in itertools.pairwise(times)]
    gaps = [b - a for a, b in zip(times, times[args.rate :], strict=False)]
    return {
        "rate": args.rate, "workers": args.workers, "burn": args.burn, "kill": args.kill,
        "mean": round(rate, 3), "ratio": round(rate / args.rate, 4),
        "max_in_second": max_in_second(times), "least_gap_ms": round(min(gaps) / 1e6, 2),
        "share": {w: round(n / len(times), 3) for w, n in sorted(counts.items())},
        "ops_per_permit": round(operations / len(times), 3),
        "moves": sum(rows[-1][3] - rows[0][3] for rows in seen.values()),
        "longest_pause_ms": round(max(pauses) / 1e6, 1),
        "median_step_ms": round(statistics.median(pauses) / 1e6, 2),
    }  # fmt: skip


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="?", default="run", choices=["run", "matrix", "work", "burn"])
    parser.add_argument("--mongo-uri")
    parser.add_argument("--rate", type=int, default=20)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--burn", type=int, default=0, help="processes that load the machine")
    parser.add_argument("--kill", action="store_true", help="kill -9 a worker, later add one")
    parser.add_argument("--freeze", type=int, help="pid of a mongod to stop for five seconds")
    parser.add_argument("--port", type=int)
    parser.add_argument("--worker", type=int)
    parser.add_argument("--skew", type=float)
    return parser.parse_args()


def matrix(args: argparse.Namespace) -> None:
    for rate, seconds in ((20, args.seconds), (100, 20), (1000, 20)):
        for workers in (1, 3, 8):
            case = argparse.Namespace(**{**vars(args), "rate": rate, "workers": workers})
            case.seconds = seconds
            print(json.dumps(run(case)), flush=True)


def main() -> None:
    args = parse()
    if args.what == "work":
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(work(args))
    elif args.what == "burn":
        burn()
    elif args.what == "matrix":
        matrix(args)
    else:
        print(json.dumps(run(args)))


if __name__ == "__main__":
    main()
