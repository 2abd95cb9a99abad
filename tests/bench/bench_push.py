"""The push worker against the raw client: notifications a second over HTTP/2 to the same service.

`python -m tests.bench.bench_push --messages 5000`; MONGO_URI and AMQP_URL name the servers, without
them the bench starts its own. The service is the sandbox in a process of its own; the raw client
is httpx with bodies made beforehand and as many requests under way as the worker has.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import uvloop
from touchpoint.messaging.v1 import message_pb2

from libs.chassis.run import started
from libs.mongo.client import open_database
from services.messaging.adapters.apns import AppleKey, ProviderToken
from services.messaging.clients.outbox import Cuts
from services.messaging.config import Settings
from services.messaging.domain.push import Notification, payload_of
from services.messaging.setup.worker import setup
from services.messaging.store.schema import prepare
from tests.bench.bench_sandbox import free_port
from tests.bench.bench_worker import recipient, sharing_out
from tests.support import servers
from tests.support.desk import Desk, publisher
from tests.support.keys import p256_key, pem
from tests.support.running import common

AT_ONCE = 64
CHUNK = 1000
SAID = message_pb2.PushContent(title="Hi {{FirstName}}", body="See you on {{Attributes.Day}}!")


@asynccontextmanager
async def service() -> AsyncIterator[str]:
    """The sandbox in a process of its own; yields the address of its APNs."""
    names = ("SMTP", "SMPP", "HTTP", "APNS", "PUSH", "GRPC", "METRICS")
    ports = {f"{name}_LISTEN": f"127.0.0.1:{free_port()}" for name in names}
    more = {**ports, "APNS_TLS": "false", "LOG_LEVEL": "WARNING", "DRAIN_SECONDS": "0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.sandbox",
        env=dict(os.environ) | more,  # noqa: TID251 - a child's, not our settings
    )
    try:
        async with aiohttp.ClientSession() as http:
            await _listening(http, f"http://{ports['HTTP_LISTEN']}/healthz")
        yield f"http://{ports['APNS_LISTEN']}"
    finally:
        process.terminate()
        await process.wait()


async def _listening(http: aiohttp.ClientSession, url: str) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                async with http.get(url):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


async def raw(url: str, count: int) -> float:
    """Notifications a second of the client alone."""
    made = payload_of("APNS", Notification(title="Hi Ann", body="See you on Monday!"), "", _now())
    token = ProviderToken(AppleKey("TEAM012345", "KEY0123456", pem(p256_key()))).token()
    headers = {
        **dict(made.headers),
        "apns-topic": "com.example.shop",
        "authorization": f"bearer {token}",
    }
    numbers = iter(range(count))
    limits = httpx.Limits(max_connections=4)
    async with httpx.AsyncClient(base_url=url, http1=False, http2=True, limits=limits) as client:

        async def send() -> None:
            for number in numbers:
                path = f"/3/device/raw{number:060d}"
                answer = await client.post(path, content=made.body, headers=headers)
                answer.raise_for_status()

        began = time.perf_counter()
        await asyncio.gather(*(send() for _ in range(AT_ONCE)))
        return count / (time.perf_counter() - began)


async def fill(desk: Desk, count: int) -> None:
    await desk.open_push("APNS")
    content = message_pb2.MessageContent(push=SAID)
    until = _now() + timedelta(hours=1)
    frame = await desk.frame("APNS", content=content, expire_time=until)
    for start in range(0, count, CHUNK):
        people = [recipient(n, "email") for n in range(start, min(start + CHUNK, count))]
        for number, one in enumerate(people, start):
            one.address = f"{number:064d}"
        cuts = Cuts()
        cuts.add(frame, people, _now())
        await desk.submission.submit(cuts, (), _now())


async def worker(given: dict[str, Any], url: str, count: int) -> float:
    """Notifications a second of the worker, from a full queue: ledger, rendering, events."""
    settings = Settings(**given, apns_url=url, log_level="WARNING")
    async with AsyncExitStack() as stack:
        database = await open_database(settings, "messaging", stack)
        await prepare(database)
        bus = await stack.enter_async_context(publisher(given["amqp_url"]))
        desk = Desk(database, bus)
        await fill(desk, count)
        began = time.perf_counter()
        async with started(settings, partial(setup, channel="apns")), sharing_out(desk):
            open_ones = {"state": {"$in": ["QUEUED", "CLAIMED"]}}
            while await database["messages"].count_documents(open_ones, limit=1):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            took = time.perf_counter() - began
        sent = await database["messages"].count_documents({"state": "SENT"})
        print(f"{sent} of {count} SENT")
        return count / took


async def measure(given: dict[str, Any], count: int) -> None:
    async with service() as url:
        await raw(url, 500)  # warm
        alone = await raw(url, count)
        ours = await worker(given, url, count)
        again = await raw(url, count)
    peer = (alone + again) / 2
    print(f"raw httpx client: {alone:,.0f} and {again:,.0f} notifications/s")
    print(f"push worker: {ours:,.0f} notifications/s, {ours / peer:.2f} of the raw client")


def _now() -> datetime:
    return datetime.now(UTC)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=5000)
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        mongo_uri, amqp_url = servers.given("MONGO_URI"), servers.given("AMQP_URL")
        if not (mongo_uri and amqp_url):
            ledger = stack.enter_context(servers.guarded_ledger(Path(folder)))
            mongo_uri = stack.enter_context(servers.running_mongo(ledger)).address
            amqp_url = stack.enter_context(servers.running_rabbit(ledger)).address
        given = common(mongo_uri, amqp_url, servers.new_prefix())
        uvloop.run(measure(given, args.messages))


if __name__ == "__main__":
    main()
