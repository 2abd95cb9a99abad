"""The email worker against raw aiosmtplib with ready bodies: mails a second to the same server.

`python -m tests.bench.bench_smtp --messages 20000 [--window 16] [--rounds 3]`; MONGO_URI and
AMQP_URL name the servers, without them the bench starts its own. The mail server is a sink in a
process of its own; raw aiosmtplib and the worker have as many connections to it, and take turns.
The worker claims, renders, builds each mail, notes outcomes and publishes events; raw aiosmtplib
sends one body again and again.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from aiosmtplib import SMTP

from libs.chassis.run import started
from libs.mongo.client import open_database
from services.messaging.clients.outbox import Cuts
from services.messaging.config import Settings
from services.messaging.domain.channels import EmailChannel, Security, Smtp
from services.messaging.domain.mime import Mail, Skeleton
from services.messaging.setup.worker import setup
from services.messaging.store.schema import prepare
from tests.bench.bench_sandbox import free_port
from tests.bench.bench_worker import CHUNK, content, recipient, sharing_out
from tests.support import servers
from tests.support.desk import Desk, publisher
from tests.support.running import common

CONNECTIONS = 10
GOAL = 0.8
HTML = '<html><body><p>Dear Ann, see <a href="https://x.example">x</a></p></body></html>'


@asynccontextmanager
async def sink() -> AsyncIterator[int]:
    """The mail server in a process of its own; yields its port."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.smtp_sink", str(port)
    )
    try:
        async with asyncio.timeout(30):
            while not await _answers(port):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield port
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def raw(port: int, count: int) -> float:
    """Mails a second of the library alone."""
    made = Mail("m" * 32, "u1@mail.example", "Hi Ann", HTML, "Dear Ann", ())
    body = Skeleton("Shop <s@shop.example>", (), "shop.example").build(made, datetime.now(UTC))
    numbers = iter(range(count))

    async def lane() -> None:
        async with SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for number in numbers:
                await client.sendmail("s@shop.example", [f"u{number}@mail.example"], body)

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(CONNECTIONS)))
    return count / (time.perf_counter() - began)


async def fill(desk: Desk, port: int, count: int) -> None:
    now = datetime.now(UTC)
    smtp = Smtp("127.0.0.1", port, Security.NONE, connections=CONNECTIONS)
    channel = EmailChannel(enabled=True, from_address="Shop <s@shop.example>", smtp=smtp)
    await desk.channels.save_email(desk.app_id, channel, now)
    said = content("email", tracked=False)
    frame = await desk.frame("EMAIL", content=said, expire_time=now + timedelta(hours=1))
    for start in range(0, count, CHUNK):
        cuts = Cuts()
        people = range(start, min(start + CHUNK, count))
        cuts.add(frame, [recipient(number, "email") for number in people], now)
        await desk.submission.submit(cuts, (), now)


async def worker(given: dict[str, Any], port: int, count: int, window: int) -> float:
    """Mails a second of the worker, from a full queue to the last outcome."""
    settings = Settings(**given, claim_window=window, log_level="WARNING")
    async with AsyncExitStack() as stack:
        database = await open_database(settings, "messaging", stack)
        await prepare(database)
        desk = Desk(database, await stack.enter_async_context(publisher(given["amqp_url"])))
        await fill(desk, port, count)
        began = time.perf_counter()
        async with started(settings, partial(setup, channel="email")), sharing_out(desk):
            where = {"app_id": desk.app_id, "state": {"$in": ["QUEUED", "CLAIMED"]}}
            while await database["messages"].count_documents(where, limit=1):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            took = time.perf_counter() - began
        sent = await database["messages"].count_documents({"app_id": desk.app_id, "state": "SENT"})
        if sent != count:
            raise RuntimeError(f"{sent} of {count} were sent")
    return count / took


async def measure(given: dict[str, Any], args: argparse.Namespace) -> None:
    """A B A B; medians and their ratio."""
    rates: dict[str, list[float]] = {"aiosmtplib": [], "worker": []}
    async with sink() as port:
        await raw(port, 500)
        for _ in range(args.rounds):
            rates["aiosmtplib"].append(await raw(port, args.messages))
            rates["worker"].append(await worker(given, port, args.messages, args.window))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, found in rates.items():
        print(f"{name:12} {medians[name]:8,.0f} mails/s  {min(found):,.0f} to {max(found):,.0f}")
    ratio = medians["worker"] / medians["aiosmtplib"]
    print(f"worker / aiosmtplib {ratio:.2f} (goal {GOAL}), {args.window} in a window")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=int, default=16)
    args = parser.parse_args()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        mongo_uri, amqp_url = servers.given("MONGO_URI"), servers.given("AMQP_URL")
        if not (mongo_uri and amqp_url):
            ledger = stack.enter_context(servers.guarded_ledger(Path(folder)))
            mongo_uri = stack.enter_context(servers.running_mongo(ledger)).address
            amqp_url = stack.enter_context(servers.running_rabbit(ledger)).address
        given = common(mongo_uri, amqp_url, servers.new_prefix())
        uvloop.run(measure(given, args))


if __name__ == "__main__":
    main()
