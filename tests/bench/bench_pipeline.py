"""Campaign fan-out alone, and with workers to the end, against task queues that do nothing.

`python -m tests.bench.bench_pipeline [--endpoints 100000] [--rounds 3] [--window 16]`; `--window`
is the claim window of the workers, 16 when nobody sets it. Everything runs on this machine:
MongoDB, RabbitMQ, every service, and the peers on the same broker one after the other. Ours
filters, decides, writes a ledger row, claims, renders, notes the outcome and publishes an event
that is stored and counted; the peers' tasks are empty.
"""

import argparse
import asyncio
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aio_pika
from touchpoint.segmentation.v1 import segment_pb2

from tests.support.customer import Customer, customer, until
from tests.support.estate import Estate, Plan, estate

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"NULL_PROVIDER": "1", "LOG_LEVEL": "WARNING", "MOST_OPEN_MESSAGES": "100000000"}
GOALS = {"fan-out alone": 30_000, "fan-out and workers": 10_000}


def people(count: int) -> list[dict[str, str]]:
    """Email endpoints with what a template usually reads."""
    return [
        {
            "Id": f"e{number}",
            "ChannelType": "EMAIL",
            "Address": f"p{number}@example.com",
            "User.UserId": f"u{number}",
            "User.UserAttributes.FirstName": f"Name{number % 997}",
            "Attributes.Tier": ("gold", "silver", "bronze")[number % 3],
            "Location.Country": ("JP", "US", "DE")[number % 3],
            "Demographic.Timezone": "Europe/Berlin",
            "Metrics.spend": str(number % 500),
        }
        for number in range(count)
    ]


async def fan_out_alone(client: Customer, place: Estate, segment_id: str, count: int) -> float:
    """Endpoints a second from the run's start to the last ledger row and queued batch."""
    for name in ("email", "email-2"):
        await asyncio.to_thread(place.servers[name].stop)
    started = time.perf_counter()
    campaign_id = await client.send(segment_id)
    await until(lambda: _read(client, campaign_id), 600, "the fan-out", 0.02)
    rate = count / (time.perf_counter() - started)
    for name in ("email", "email-2"):
        await asyncio.to_thread(place.servers[name].start)
    await until(lambda: client.run_is_over(campaign_id), 900, "the run")
    return rate


async def to_the_end(client: Customer, _: Estate, segment_id: str, count: int) -> float:
    """Messages a second from the run's start until every row is final."""
    started = time.perf_counter()
    campaign_id = await client.send(segment_id)
    await until(lambda: client.run_is_over(campaign_id), 900, "the run", 0.1)
    return count / (time.perf_counter() - started)


async def _read(client: Customer, campaign_id: str) -> bool:
    activity = await client.activity(campaign_id)
    return activity is not None and activity.progress.fan_out_done


def celery(url: str, count: int) -> float:
    """Tasks a second through Celery, two worker processes."""
    command = [sys.executable, "-m", "celery", "-A", "tests.bench.peers.celery_app", "worker"]
    command += ["--concurrency", "2", "--loglevel", "ERROR", "--without-gossip"]
    code = "import sys;from tests.bench.peers.celery_app import enqueue;"
    code += "enqueue(int(sys.argv[1]), int(sys.argv[2]))"
    return _peer(url, count, command, code)


def taskiq(url: str, count: int) -> float:
    """Tasks a second through Taskiq, two worker processes."""
    command = [sys.executable, "-m", "taskiq", "worker", "tests.bench.peers.taskiq_app:broker"]
    command += ["--workers", "2", "--log-level", "ERROR"]
    code = "import asyncio,sys;from tests.bench.peers.taskiq_app import enqueue;"
    code += "asyncio.run(enqueue(int(sys.argv[1]), int(sys.argv[2])))"
    return _peer(url, count, command, code)


def dramatiq(url: str, count: int) -> float:
    """Tasks a second through Dramatiq, two worker processes."""
    command = [sys.executable, "-m", "dramatiq", "tests.bench.peers.dramatiq_app"]
    command += ["--processes", "2", "--threads", "4"]
    code = "import sys;from tests.bench.peers.dramatiq_app import enqueue;"
    code += "enqueue(int(sys.argv[1]), int(sys.argv[2]))"
    return _peer(url, count, command, code)


def _peer(url: str, count: int, command: list[str], code: str) -> float:
    env = {**os.environ, "AMQP_URL": url, "PYTHONPATH": str(ROOT)}  # noqa: TID251 - a child's
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as done:
        done.bind(("127.0.0.1", 0))
        done.settimeout(300)
        port = str(done.getsockname()[1])
        worker = subprocess.Popen(command, env=env, cwd=ROOT, start_new_session=True)
        try:
            # A first small batch waits for the workers and warms them.
            subprocess.run([sys.executable, "-c", code, "50", port], env=env, cwd=ROOT, check=True)
            done.recv(16)
            started = time.perf_counter()
            producer = subprocess.Popen(
                [sys.executable, "-c", code, str(count), port], env=env, cwd=ROOT
            )
            done.recv(16)
            seconds = time.perf_counter() - started
            producer.wait(30)
        finally:
            os.killpg(worker.pid, signal.SIGTERM)
            worker.wait(30)
    return count / seconds


PEERS = {"celery": celery, "taskiq": taskiq, "dramatiq": dramatiq}


async def raw(url: str, count: int, size: int) -> float:
    """Items a second through plain aio-pika with confirms, `size` items a message, late acks."""
    connection = await aio_pika.connect(url)
    async with connection:
        sender, taker = await connection.channel(), await connection.channel()
        await taker.set_qos(200)
        queue = await taker.declare_queue(
            f"bench.raw.{size}", durable=True, arguments={"x-queue-type": "quorum"}
        )
        seen, over = 0, asyncio.Event()

        async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            nonlocal seen
            await message.ack()
            seen += size
            if seen >= count:
                over.set()

        await queue.consume(take)
        body = b"x" * 300 * size
        started = time.perf_counter()
        for at in range(0, count // size, 100):
            batch = range(at, min(at + 100, count // size))
            await asyncio.gather(
                *(
                    sender.default_exchange.publish(
                        aio_pika.Message(body, delivery_mode=2), queue.name
                    )
                    for _ in batch
                )
            )
        await over.wait()
        seconds = time.perf_counter() - started
        await queue.delete(if_empty=False, if_unused=False)
    return count / seconds


async def main() -> None:
    """Measure in turn, A B A B, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--window", type=int, default=16)
    given = parser.parse_args()
    results: dict[str, list[float]] = {}
    settings = {**SETTINGS, "CLAIM_WINDOW": str(given.window)}
    plan = Plan({"email": 2}, settings, frozenset({"links", "sms", "sandbox"}))
    with estate(plan) as place:
        url = place.env["AMQP_URL"]
        async with customer(place) as client:
            await client.set_up_channels()
            await client.import_rows(people(given.endpoints))
            segment_id = await client.segment("All", segment_pb2.SegmentDimensions())
            ours: dict[str, Callable[..., Awaitable[float]]] = {
                "fan-out alone": fan_out_alone,
                "fan-out and workers": to_the_end,
            }
            for _ in range(given.rounds):
                for name, measure in ours.items():
                    rate = await measure(client, place, segment_id, given.endpoints)
                    _note(results, name, rate)
                for name, peer in PEERS.items():
                    _note(results, name, await asyncio.to_thread(peer, url, given.tasks))
                _note(results, "aio-pika 1 a message", await raw(url, given.tasks, 1))
                _note(results, "aio-pika 100 a message", await raw(url, given.endpoints, 100))
    _print(results)


def _note(results: dict[str, list[float]], name: str, rate: float) -> None:
    results.setdefault(name, []).append(rate)
    print(f"{name:24} {rate:12,.0f}/s", flush=True)


def _print(results: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(rates) for name, rates in results.items()}
    print(f"\n{'median of ' + str(len(next(iter(results.values())))):24} {'rate/s':>12}  spread")
    for name, rates in results.items():
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        print(f"{name:24} {medians[name]:12,.0f}  {spread}")
    for name, goal in GOALS.items():
        print(f"{name:24} {medians[name] / goal:8.2f} of the goal of {goal:,}/s")
    for name in (*PEERS, "aio-pika 1 a message", "aio-pika 100 a message"):
        ratio: Any = medians["fan-out and workers"] / medians[name]
        print(f"fan-out and workers / {name:24} {ratio:8.2f}")


if __name__ == "__main__":
    asyncio.run(main())
