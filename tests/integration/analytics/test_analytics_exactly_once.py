"""Exactly once: processes killed under load, repeats in any order (faults F8 and F15, small)."""

import asyncio
import itertools
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import PyMongoError
from touchpoint.analytics.v1 import analytics_service_pb2 as pb
from touchpoint.analytics.v1 import analytics_service_pb2_grpc as rpc
from touchpoint.analytics.v1.event_pb2 import Event
from touchpoint.analytics.v1.events_pb2 import EventBatch

from deploy.local.environment import inherited
from libs.bus.publisher import Publisher, open_publisher, outgoing
from libs.bus.topology import ANALYTICS_EVENTS, EVENTS
from libs.errors import DependencyUnavailable
from libs.ids import new_id
from libs.mongo.client import new_client
from libs.mongo.indexes import ensure_indexes
from services.analytics.domain.counting import Fact, Key, Record
from services.analytics.store.events import APP_NAME, EventStore
from services.analytics.store.schema import INDEXES
from services.analytics.usecases import Recorder
from tests.integration.analytics.serving import AUTHORIZATION, PEER_TOKEN, until

pytestmark = [pytest.mark.servers, pytest.mark.timeout(240)]

KILLS = 6
EVENTS_EACH = 50
# As many again come from other services, over the bus: a half of them opens.
TOLD_EACH = 20
# Feeders send faster than two starting processes take in; this bounds what must be drained.
MOST_REQUESTS = 1200


@dataclass
class Replica:
    """A process of the service that can be killed and started again."""

    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return self.environment["GRPC_LISTEN"]

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.analytics"], env=self.environment
        )

    def end(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=30)
            self.process = None


@contextmanager
def replicas(mongo_uri: str, amqp_url: str, prefix: str) -> Iterator[list[Replica]]:
    made = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        made.append(
            Replica(
                {
                    **inherited(),
                    "MONGO_URI": mongo_uri,
                    "AMQP_URL": amqp_url,
                    "DATABASE_PREFIX": prefix,
                    "GRPC_LISTEN": address,
                    "PEER_TOKEN": PEER_TOKEN,
                    "DRAIN_SECONDS": "0",
                    "LOG_LEVEL": "ERROR",
                }
            )
        )
    try:
        for replica in made:
            replica.start()
        yield made
    finally:
        for replica in made:
            replica.end(signal.SIGKILL)


@dataclass
class Client:
    """Puts events, again and again until they are acknowledged, at whichever replica answers."""

    stubs: list[Any]
    dice: random.Random
    acknowledged: set[tuple[str, str]] = field(default_factory=set)

    async def put(self, request: pb.PutEventsRequest) -> None:
        deadline = time.monotonic() + 120
        while True:
            assert time.monotonic() < deadline, "no replica takes the events"
            stub = self.dice.choice(self.stubs)
            with suppress(aio.AioRpcError):
                answer = await stub.PutEvents(request, metadata=AUTHORIZATION, timeout=10)
                break
            await asyncio.sleep(0.05)
        for client_id, result in answer.results.items():
            codes = {one.status_code for one in result.events_item_response.values()}
            assert codes == {202}
            self.acknowledged.update((client_id, e) for e in result.events_item_response)


def request(app_id: str, number: int, seconds: int) -> pb.PutEventsRequest:
    """The request of this number: half about a campaign, half custom events."""
    made = pb.PutEventsRequest(application_id=app_id)
    for one in range(EVENTS_EACH):
        client_id = f"e{(number * EVENTS_EACH + one) % 40}"
        made.batch_item[client_id].events[f"{number}-{one}"].CopyFrom(
            Event(
                event_type="_campaign.opened_notification" if one % 2 else f"custom{one % 5}",
                event_time=Timestamp(seconds=seconds),
                attributes={"campaign_id": "c", "campaign_activity_id": "a"} if one % 2 else {},
            )
        )
    return made


def told(app_id: str, number: int, seconds: int) -> EventBatch:
    """What services tell along with the request of this number: deliveries, and opens."""
    made = EventBatch()
    for one in range(TOLD_EACH):
        client_id = f"e{(number * TOLD_EACH + one) % 40}"
        message_id = f"m{client_id}" if one % 2 else f"m{number}-{one}"
        made.events.add(
            event_id=f"told-{number}-{one}",
            event_type="_email.open" if one % 2 else "_email.delivered",
            application_id=app_id,
            client_id=client_id,
            event_time=Timestamp(seconds=seconds),
            attributes={
                "campaign_id": "c",
                "campaign_activity_id": "a",
                "message_id": message_id,
            },
        )
    return made


@dataclass
class Load:
    """Events sent while replicas are killed, until the last kill."""

    app_id: str
    client: Client
    publisher: Publisher
    numbers: Iterator[int] = field(default_factory=itertools.count)
    seconds: int = field(default_factory=lambda: int(time.time()) - 100)
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    async def feed(self) -> None:
        while not self.killed.is_set() and (number := next(self.numbers)) < MOST_REQUESTS:
            await self.put(number)
            if number % 10 == 0:  # a tenth comes again, later and in another order
                await self.put(self.client.dice.randrange(number + 1))

    async def put(self, number: int) -> None:
        await self.client.put(request(self.app_id, number, self.seconds))
        batch = told(self.app_id, number, self.seconds)
        await self.publisher.publish([outgoing("messaging.events", batch, new_id())])

    async def kill(self, running: list[Replica], database: Any) -> None:
        for round_ in range(KILLS):
            # Not before the consumers have taken something up since the last kill.
            before = await database["events"].estimated_document_count()
            await until(partial(_has_more, database, {}, before), 30)
            await asyncio.sleep(self.client.dice.uniform(0, 0.2))
            victim = running[round_ % 2]
            victim.end(signal.SIGKILL)
            victim.start()
        self.killed.set()

    def sent(self) -> int:
        """Requests that were acknowledged; each has its own events, and those told along."""
        return len({event_id.partition("-")[0] for _, event_id in self.client.acknowledged})


async def test_kills_under_load_lose_and_double_nothing(
    mongo_uri: str, amqp_url: str, database_prefix: str
) -> None:
    async with AsyncExitStack() as stack:
        running = stack.enter_context(replicas(mongo_uri, amqp_url, database_prefix))
        channels = [
            await stack.enter_async_context(aio.insecure_channel(r.address)) for r in running
        ]
        stubs = [rpc.EventsServiceStub(channel) for channel in channels]
        publisher = await open_publisher(amqp_url, EVENTS, "tests", stack, [ANALYTICS_EVENTS])
        load = Load(uuid.uuid4().hex, Client(stubs, random.Random(8)), publisher)
        mongo: Any = AsyncIOMotorClient(mongo_uri)
        stack.callback(mongo.close)
        database = mongo[f"{database_prefix}analytics"]
        await asyncio.gather(load.kill(running, database), *(load.feed() for _ in range(4)))
        assert len(load.client.acknowledged) == load.sent() * EVENTS_EACH
        mine, distinct = {"app_id": load.app_id}, load.sent() * (EVENTS_EACH + TOLD_EACH)
        await until(partial(_has_more, database, mine, distinct - 1), 90)
        # Nothing more may come: whatever is still queued are repeats.
        for replica in running:
            replica.end(signal.SIGTERM)
        await _check(database, load.app_id, load.sent())


async def _has_more(database: Any, which: dict[str, str], before: int) -> bool:
    count: int = await database["events"].count_documents(which)
    return count > before


async def _check(database: Any, app_id: str, requests: int) -> None:
    distinct = requests * (EVENTS_EACH + TOLD_EACH)
    assert await database["events"].count_documents({"app_id": app_id}) == distinct
    counted = {
        name: (found["count"], found["unique"], found["hourly"])
        for name, found in (await sums(database, app_id)).items()
    }
    # Client ids repeat every 40 events, so what stands at odd places is always of the odd twenty.
    assert counted == {
        **{f"custom{n}": (requests * 5, 0, 0) for n in range(5)},
        "_campaign.opened_notification": (requests * 25, 20, 0),
        "_email.open": (requests * 10, 20, 20),
        "_email.delivered": (requests * 10, requests * 10, 0),
    }


async def sums(database: Any, app_id: str) -> dict[str, Any]:
    figures = ("count", "unique", "hourly")
    group = {name: {"$sum": f"${name}"} for name in figures}
    pipeline = [{"$match": {"app_id": app_id}}, {"$group": {"_id": "$event_type", **group}}]
    return {d["_id"]: d async for d in database["counters"].aggregate(pipeline)}


async def test_shuffled_repeats_on_the_bus_count_once(
    mongo_uri: str, amqp_url: str, database_prefix: str
) -> None:
    app_id, dice = uuid.uuid4().hex, random.Random(15)
    stamp = Timestamp(seconds=int(time.time()) // 3600 * 3600 - 1800)
    events = [
        Event(
            event_id=str(n),
            event_type="_email.delivered" if n % 2 else "_email.click",
            application_id=app_id,
            client_id=f"e{n % 100}",
            event_time=stamp,
            attributes={
                "campaign_id": "c",
                "campaign_activity_id": "a",
                "message_id": f"m{n}" if n % 2 else f"m{n % 10}",
            },
        )
        for n in range(2000)
    ]
    stream = [*events, *dice.sample(events, 200)]
    dice.shuffle(stream)
    async with AsyncExitStack() as stack:
        stack.enter_context(replicas(mongo_uri, amqp_url, database_prefix))
        mongo: Any = AsyncIOMotorClient(mongo_uri)
        stack.callback(mongo.close)
        database = mongo[f"{database_prefix}analytics"]
        publisher = await open_publisher(amqp_url, EVENTS, "tests", stack, [ANALYTICS_EVENTS])
        batches = [EventBatch(events=stream[i : i + 20]) for i in range(0, len(stream), 20)]
        await publisher.publish([outgoing("messaging.events", b, new_id()) for b in batches])

        async def drained() -> bool:
            found = await sums(database, app_id)
            return sum(int(one["count"]) for one in found.values()) >= len(events)

        await until(drained, 60)
        # A last message through the same queue: everything before it was taken up.
        last = Event(
            event_id="last",
            event_type="last",
            application_id=app_id,
            client_id="x",
            event_time=stamp,
        )
        await publisher.publish([outgoing("a.events", EventBatch(events=[last]), new_id())])

        async def seen() -> bool:
            return "last" in await sums(database, app_id)

        await until(seen, 30)
        counted = await sums(database, app_id)
    delivered, clicked = counted["_email.delivered"], counted["_email.click"]
    assert (delivered["count"], delivered["unique"]) == (1000, 1000)
    assert (clicked["count"], clicked["unique"], clicked["hourly"]) == (1000, 50, 5)


async def test_the_transaction_of_a_dead_writer_does_not_hold_up_the_next(
    mongo_uri: str, database_prefix: str
) -> None:
    """The server would keep it for a minute; the recorder ends it after two seconds."""
    mongo = new_client(mongo_uri, APP_NAME)
    database = mongo[f"{database_prefix}analytics"]
    await ensure_indexes(database, INDEXES)
    key = Key(uuid.uuid4().hex, "", "", "", "a", "", "", "", 0)
    record = Record(uuid.uuid4().bytes, "e", int(time.time() * 1000), b"", Fact(key))
    dead = await mongo.start_session()
    dead.start_transaction()
    await database["events"].insert_one({"_id": record.record_id}, session=dead)
    started = time.monotonic()
    recorder = Recorder(EventStore(database), 1)

    async def recorded() -> bool:
        with suppress(DependencyUnavailable):
            await recorder.record([record])
            return True
        return False

    await until(recorded, 30)
    assert time.monotonic() - started > 1  # it did stand in the way
    assert await database["events"].count_documents({"app_id": key.app_id}) == 1
    assert (await sums(database, key.app_id))["a"]["count"] == 1
    with pytest.raises(PyMongoError):
        await dead.commit_transaction()
    await dead.end_session()
    mongo.close()
