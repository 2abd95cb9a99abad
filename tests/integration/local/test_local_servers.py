"""The real MongoDB and RabbitMQ: they come up, survive kills with their data, and leave nothing."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from deploy.local import amqp, mongodb, processes, rabbitmq
from deploy.local import servers as local_servers
from deploy.local.ledger import Ledger
from deploy.local.ports import free_port
from deploy.local.server import Server, ServerFailed
from deploy.local.waiting import wait_until
from tests.support import servers

pytestmark = pytest.mark.servers

DURABLE = aio_pika.DeliveryMode.PERSISTENT


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with servers.guarded_ledger(tmp_path_factory.mktemp("own")) as ledger:
        yield ledger


@pytest.fixture(scope="module")
def mongo(ledger: Ledger) -> Iterator[Server]:
    with servers.running_mongo(ledger) as server:
        yield server


@pytest.fixture(scope="module")
def rabbit(ledger: Ledger) -> Iterator[Server]:
    with servers.running_rabbit(ledger) as server:
        yield server


async def publish(url: str, queue: str, body: bytes) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(body, delivery_mode=DURABLE)
        await channel.default_exchange.publish(message, routing_key=queue)


async def take(url: str, queue: str) -> bytes:
    """Take one message. Right after a start a quorum queue may have no leader yet, and a get
    sent then may wait for ever: ask again on a new connection, as every client must."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(TimeoutError, aio_pika.exceptions.QueueEmpty):
                return await take_now(url, queue)


async def take_now(url: str, queue: str) -> bytes:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        found = await channel.get_queue(queue)
        message = await found.get(timeout=3)
        await message.ack()
        return message.body


async def test_mongo_takes_transactions_and_keeps_them_over_a_kill(mongo: Server) -> None:
    async with asyncio.timeout(60):
        client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(mongo.address)
        rows = client["kept"]["rows"]
        async with await client.start_session() as session, session.start_transaction():
            await rows.insert_one({"_id": "in a transaction"}, session=session)
        await asyncio.to_thread(mongo.kill)
        assert not mongo.is_running
        await asyncio.to_thread(mongo.start)
        assert await rows.find_one({}) == {"_id": "in a transaction"}
        client.close()


async def test_databases_of_a_prefix_are_dropped_and_no_others(mongo: Server) -> None:
    prefix, other = servers.new_prefix(), servers.new_prefix()
    client: AsyncIOMotorClient[dict[str, object]] = AsyncIOMotorClient(mongo.address)
    for name in (f"{prefix}_a", f"{prefix}_b", f"{other}_a"):
        await client[name]["rows"].insert_one({})
    servers.drop_databases(mongo.address, prefix)
    left = [name for name in await client.list_database_names() if name.startswith("test_")]
    assert left == [f"{other}_a"]
    client.close()


async def test_rabbit_keeps_messages_and_login_over_a_restart_and_a_kill(rabbit: Server) -> None:
    # The restart comes first: RabbitMQ 3.10 writes the name of a new quorum queue to disk only
    # after a moment, and one that is killed before that never gets a leader again.
    await publish(rabbit.address, "kept", b"one")
    await asyncio.to_thread(rabbit.restart)
    assert await take(rabbit.address, "kept") == b"one"
    await publish(rabbit.address, "kept", b"two")
    await asyncio.to_thread(rabbit.kill)
    with pytest.raises(amqp.NotAnswering):
        amqp.log_in(rabbit.address, 1)
    await asyncio.to_thread(rabbit.start)
    assert await take(rabbit.address, "kept") == b"two"


async def test_wrong_password_and_unknown_host_are_refused(rabbit: Server) -> None:
    user, _, rest = rabbit.address.partition("touchpoint:")
    wrong = f"{user}touchpoint:wrong@{rest.partition('@')[2]}"
    assert rabbitmq.can_be_reached(rabbit.address)
    assert not rabbitmq.can_be_reached(wrong)
    assert not rabbitmq.can_be_reached(f"{rabbit.address}no-such-host")


def test_servers_listen_on_loopback_only(mongo: Server, rabbit: Server) -> None:
    shown = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    pids = {found.pid for found in processes.carrying(mongo.ledger.tag)}
    lines = [line for line in shown.splitlines() if any(f"pid={pid}," in line for pid in pids)]
    assert len(lines) >= 4  # mongod, AMQP, Erlang distribution, port mapper
    hosts = {line.split()[3].rpartition(":")[0] for line in lines}
    assert hosts <= {"127.0.0.1", "[::1]"}


async def test_server_that_cannot_start_shows_its_log(ledger: Ledger, mongo: Server) -> None:
    taken = int(mongo.address.rpartition(":")[2].partition("/")[0])
    ledger = Ledger(ledger.folder / "second")
    second = mongodb.mongo_server(ledger, taken)
    # The first one answers as a primary on that port, so the wait ends by the second's end.
    second.launch()
    assert wait_until(lambda: not second.is_running, 30)
    with pytest.raises(ServerFailed, match=r'(?s)mongod ended instead.*"exitCode":48'):
        second.wait_ready()
    second.close()


async def test_given_addresses_are_used_and_not_ours_to_stop(
    tmp_path: Path, mongo: Server, rabbit: Server
) -> None:
    given = {"MONGO_URI": mongo.address, "AMQP_URL": rabbit.address}
    found = local_servers.prepare(Ledger(tmp_path), given)
    assert (found.mongo_uri, found.amqp_url) == (mongo.address, rabbit.address)
    found.start()
    found.close()
    assert mongo.is_running
    assert rabbit.is_running


async def test_given_address_without_server_is_refused_and_not_shown(tmp_path: Path) -> None:
    given = {"AMQP_URL": f"amqp://user:secret-word@127.0.0.1:{free_port()}/"}
    with pytest.raises(ServerFailed, match="AMQP_URL") as refused:
        local_servers.prepare(Ledger(tmp_path), given)
    assert "secret-word" not in str(refused.value)


def test_end_all_leaves_no_process_and_no_data(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    found = local_servers.prepare(ledger, {})
    try:
        found.start()
        names = {entry.name for entry in Ledger(tmp_path).running()}
        started = processes.carrying(ledger.tag)
        assert names == {"mongod", "rabbitmq", "epmd"}
        assert len(started) > len(names)  # Erlang's own children carry the tag too
    finally:
        killed = Ledger(tmp_path).end_all()
        found.close()  # reaps the children; in `make down` that is another process's matter
    assert killed == []
    assert processes.carrying(ledger.tag) == []
    assert not any(map(processes.is_running, started))
    ledger.remove_data()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log"]


SESSION = """
import signal, sys
from pathlib import Path
from tests.support import servers
with servers.guarded_ledger(Path(sys.argv[1])) as ledger:
    with servers.running_mongo(ledger):
        print(ledger.tag, flush=True)
        signal.pause()
"""


def test_servers_of_a_killed_test_session_are_ended(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SESSION, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdout is not None
        tag = session.stdout.readline().strip()
        assert len(processes.carrying(tag)) == 1
        os.kill(session.pid, signal.SIGKILL)
    assert wait_until(lambda: not processes.carrying(tag), 30)
