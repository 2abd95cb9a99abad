"""One email or SMS worker alone, from a full queue to the null provider: messages a second.

`python -m tests.bench.bench_worker --messages 50000 [--profile out.prof] [--tracked]`;
MONGO_URI and AMQP_URL name the servers, without them the bench starts its own.
"""

import argparse
import asyncio
import cProfile
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.messaging.v1 import message_pb2

from libs.chassis.run import started
from libs.mongo.client import open_database
from services.messaging.clients.outbox import Cuts
from services.messaging.config import Settings
from services.messaging.domain.channels import EmailChannel, SmsChannel
from services.messaging.setup.worker import setup
from services.messaging.store.schema import prepare
from tests.support import servers
from tests.support.desk import Desk, publisher
from tests.support.running import common

CHUNK = 1000


def content(channel: str, *, tracked: bool) -> message_pb2.MessageContent:
    if channel == "sms":
        return message_pb2.MessageContent(
            sms=message_pb2.SmsContent(body="Hi {{FirstName}}, see you on {{Attributes.Day}}!")
        )
    return message_pb2.MessageContent(
        email=message_pb2.EmailContent(
            subject="Hi {{FirstName}}",
            html='<html><body><p>Dear {{FirstName}}, see <a href="https://x.example">x</a></p>'
            "</body></html>",
            text="Dear {{FirstName}}",
            tracked=tracked,
            unsubscribable=tracked,
        )
    )


def recipient(number: int, channel: str) -> message_pb2.SendRecipient:
    address = f"+4915{number:09d}" if channel == "sms" else f"u{number}@mail.example"
    values = channel_pb2.StringList(values=["Ann"])
    endpoint = endpoint_pb2.Endpoint(
        endpoint_id=f"e{number}",
        address=address,
        attributes={"Day": channel_pb2.StringList(values=["Monday"])},
        user=endpoint_pb2.User(user_id=f"u{number}", user_attributes={"FirstName": values}),
    )
    return message_pb2.SendRecipient(
        endpoint_id=f"e{number}",
        address=address,
        user_id=f"u{number}",
        endpoint=endpoint.SerializeToString(),
    )


async def fill(desk: Desk, channel: str, count: int, *, tracked: bool) -> list[str]:
    now = datetime.now(UTC)
    if channel == "sms":
        await desk.channels.save_sms(
            desk.app_id,
            SmsChannel(enabled=True, sender_id="SHOP", parts_per_second=20_000),
            now,
        )
    else:
        await desk.channels.save_email(
            desk.app_id, EmailChannel(enabled=True, from_address="Shop <s@shop.example>"), now
        )
    frame = await desk.frame(
        channel.upper(),
        content=content(channel, tracked=tracked),
        expire_time=now + timedelta(hours=1),
    )
    ids: list[str] = []
    for start in range(0, count, CHUNK):
        cuts = Cuts()
        cuts.add(frame, [recipient(n, channel) for n in range(start, start + CHUNK)], now)
        await desk.submission.submit(cuts, (), now)
        ids += [one for cut in cuts.cuts for one, _, _ in cut.recipients]
    return ids


@asynccontextmanager
async def sharing_out(desk: Desk) -> AsyncIterator[None]:
    """Publish what waits for its turn, as often as the gateway's clock does."""

    async def clock() -> None:
        while True:
            await desk.sharing.share_out()
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(clock())
        yield
        task.cancel()


async def measure(given: dict[str, Any], args: argparse.Namespace) -> None:
    settings = Settings(**given, null_provider=True, log_level="WARNING")
    async with AsyncExitStack() as stack:
        database = await open_database(settings, "messaging", stack)
        await prepare(database)
        bus = await stack.enter_async_context(publisher(given["amqp_url"]))
        desk = Desk(database, bus)
        began = time.perf_counter()
        ids = await fill(desk, args.channel, args.messages, tracked=args.tracked)
        print(f"filled {len(ids)} in {time.perf_counter() - began:.1f} s")
        profile = cProfile.Profile()
        began, cpu = time.perf_counter(), time.process_time()
        if args.profile:
            profile.enable()
        async with started(settings, partial(setup, channel=args.channel)), sharing_out(desk):
            where = {"state": {"$in": ["QUEUED", "CLAIMED"]}}
            while await database["messages"].count_documents(where, limit=1):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            took, busy = time.perf_counter() - began, time.process_time() - cpu
        profile.disable()
        if args.profile:
            profile.dump_stats(args.profile)
        states = await desk.states(ids[:1000])
        print(
            f"{args.messages / took:,.0f} messages/s, {busy / args.messages * 1e6:.0f} us CPU each"
        )
        print(dict(states))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--channel", choices=("email", "sms"), default="email")
    parser.add_argument("--tracked", action="store_true")
    parser.add_argument("--profile", default="")
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
