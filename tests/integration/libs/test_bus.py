"""The bus on a real broker: confirms, redelivery, parking, batches, and a broker that goes away."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import aio_pika
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from deploy.local.ports import free_ports
from libs.bus.connection import connect
from libs.bus.consumer import Consumer, Delivery, Pace, dead_letters
from libs.bus.publisher import Publisher, outgoing
from libs.bus.topology import MESSAGES, Queue
from libs.chassis import context
from libs.errors import DependencyUnavailable
from libs.ids import new_id
from tests.support.servers import Server


@pytest.fixture
async def queue(amqp_url: str) -> AsyncIterator[Queue]:
    name = f"test.{new_id()[:8]}"
    yield Queue(name, MESSAGES, (name,))
    connection = await connect(amqp_url, "tests")
    async with connection:
        channel = await connection.channel()
        await channel.queue_delete(name)
        await channel.queue_delete(f"{name}.dead")


@pytest.fixture
async def publisher(amqp_url: str, queue: Queue) -> AsyncIterator[Publisher]:
    publisher = Publisher(amqp_url, MESSAGES, "tests", [queue])
    yield publisher
    await publisher.close()


async def _send(publisher: Publisher, queue: Queue, texts: Sequence[str]) -> None:
    await publisher.publish(
        [outgoing(queue.name, StringValue(value=text), text) for text in texts], 60
    )


async def test_a_connection_that_could_not_be_made_is_closed() -> None:
    """Nothing is left for the garbage collector to close when no loop runs."""
    (port,) = free_ports(1)
    with pytest.raises(ConnectionError) as refused:
        await connect(f"amqp://guest:guest@127.0.0.1:{port}/", "tests")
    # By type(): isinstance() asks a dead weak proxy for its class, and that raises.
    made = [one for one in gc.get_objects() if issubclass(type(one), aio_pika.Connection)]
    ours = [one for one in made if one.url.port == port]
    assert ours, f"nothing holds the connection of {refused}"
    assert all(one.is_closed for one in ours)


def _text(delivery: Delivery) -> str:
    return StringValue.FromString(delivery.body).value


async def _until(fine: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not fine():  # noqa: ASYNC110 - the condition lives in another process
            await asyncio.sleep(0.01)


@asynccontextmanager
async def _running(consumer: Consumer) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(consumer.run(stopping))
        try:
            yield
        finally:
            stopping.set()


async def test_messages_arrive_in_batches_with_type_id_and_request(
    amqp_url: str, publisher: Publisher, queue: Queue
) -> None:
    seen: list[Delivery] = []
    sizes: list[int] = []

    async def handler(deliveries: Sequence[Delivery]) -> None:
        seen.extend(deliveries)
        sizes.append(len(deliveries))

    texts = [f"m{n}" for n in range(50)]
    with context.call("request-7"):
        await _send(publisher, queue, texts)
    assert await publisher.depth(queue) == 50
    pace = Pace(prefetch=50, batch_size=20, linger_seconds=0.2)
    async with _running(Consumer(amqp_url, queue, handler, pace)):
        await _until(lambda: len(seen) == 50)
    assert [_text(d) for d in seen] == texts
    assert max(sizes) == 20
    assert {(d.type, d.request_id) for d in seen} == {("google.protobuf.StringValue", "request-7")}
    assert await publisher.depth(queue) == 0


async def test_a_bad_message_is_parked_and_the_others_go_on(
    amqp_url: str, publisher: Publisher, queue: Queue
) -> None:
    seen: list[str] = []
    tries = 0

    async def handler(deliveries: Sequence[Delivery]) -> None:
        nonlocal tries
        texts = [_text(d) for d in deliveries]
        if "bad" in texts:
            tries += 1
            raise ValueError("poison")
        seen.extend(texts)

    await _send(publisher, queue, ["a", "bad", "b"])
    async with _running(Consumer(amqp_url, queue, handler, Pace(batch_size=3))):
        await _until(lambda: sorted(set(seen)) == ["a", "b"])
        await _until(lambda: tries >= 3)
    async with asyncio.timeout(10):
        while not (parked := await dead_letters(amqp_url, queue, 10)):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
    assert [StringValue.FromString(body).value for body in parked] == ["bad"]


async def test_a_dependency_that_is_away_parks_nothing(
    amqp_url: str, publisher: Publisher, queue: Queue
) -> None:
    tries = 0
    seen: list[str] = []

    async def handler(deliveries: Sequence[Delivery]) -> None:
        nonlocal tries
        tries += 1
        if tries < 8:
            raise DependencyUnavailable("the database")
        seen.extend(_text(d) for d in deliveries)

    await _send(publisher, queue, ["patient"])
    async with _running(Consumer(amqp_url, queue, handler)):
        await _until(lambda: seen == ["patient"])
    assert await dead_letters(amqp_url, queue, 10) == []


async def test_a_handler_that_was_stopped_in_the_middle_finishes_first(
    amqp_url: str, publisher: Publisher, queue: Queue
) -> None:
    entered, leave, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(_: Sequence[Delivery]) -> None:
        entered.set()
        await leave.wait()
        done.set()

    await _send(publisher, queue, ["slow"])
    async with asyncio.TaskGroup() as group:
        stopping = asyncio.Event()
        running = group.create_task(Consumer(amqp_url, queue, handler).run(stopping))
        await asyncio.wait_for(entered.wait(), 10)
        stopping.set()
        await asyncio.sleep(0)
        assert not running.done()
        leave.set()
    assert done.is_set()
    assert await publisher.depth(queue) == 0


async def test_nothing_is_lost_when_the_broker_restarts(
    amqp_url: str, publisher: Publisher, queue: Queue, rabbit_server: Server
) -> None:
    seen: set[str] = set()

    async def handler(deliveries: Sequence[Delivery]) -> None:
        seen.update(_text(d) for d in deliveries)

    texts = [f"m{n}" for n in range(300)]
    async with _running(Consumer(amqp_url, queue, handler, Pace(prefetch=10))):
        await _send(publisher, queue, texts[:100])
        # RabbitMQ 3.10 saves its registry of quorum queues every 500 ms; a queue younger than
        # that does not survive kill -9, whoever the client is (docs/decisions/0008).
        old = asyncio.get_running_loop().time() + 2
        await _until(lambda: asyncio.get_running_loop().time() > old)
        await asyncio.to_thread(rabbit_server.kill)
        async with asyncio.TaskGroup() as group:
            group.create_task(_send(publisher, queue, texts[100:]))
            await asyncio.to_thread(rabbit_server.start)
        await _until(lambda: seen == set(texts), 60)


async def test_a_broker_that_stays_away_is_reported(queue: Queue) -> None:
    publisher = Publisher("amqp://guest:guest@127.0.0.1:1/", MESSAGES, "tests", [queue])
    with pytest.raises(DependencyUnavailable):
        await publisher.publish([outgoing(queue.name, StringValue(), "x")], patience_seconds=0.3)
