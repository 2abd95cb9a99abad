"""SubmitRecipients on real MongoDB and RabbitMQ: recipients a second and CPU of the gateway.

`python -m tests.bench.bench_submission [recipients] [side by side]`; set MONGO_URI and AMQP_URL to
use servers that run already. The gateway runs in this process, its client in another.
"""

import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import uvloop
from grpc import aio
from touchpoint.common.v1 import channel_pb2
from touchpoint.endpoints.v1 import endpoint_pb2
from touchpoint.messaging.v1 import dispatch_service_pb2 as pb
from touchpoint.messaging.v1 import dispatch_service_pb2_grpc, message_pb2

from libs.chassis import logging
from libs.chassis.run import started
from libs.ids import new_id
from services.messaging.config import Settings
from services.messaging.setup.gateway import setup_gateway
from tests.support import servers

PEER_TOKEN = "peer-token-of-the-bench"
METADATA = (("authorization", f"Peer {PEER_TOKEN}"),)
CALL_SIZE = 1000


def _endpoint(number: int) -> bytes:
    endpoint = endpoint_pb2.Endpoint(
        endpoint_id=f"endpoint-{number:08}",
        address=f"person{number}@shop.example",
        channel_type=channel_pb2.CHANNEL_TYPE_EMAIL,
        user=endpoint_pb2.User(user_id=f"user-{number}"),
        demographic=endpoint_pb2.Demographic(timezone="Europe/Berlin", locale="de_DE"),
        location=endpoint_pb2.Location(city="Berlin", country="DE"),
    )
    endpoint.attributes["Interests"].values.extend(["shoes", "hats"])
    endpoint.user.user_attributes["FirstName"].values.append(f"Name{number}")
    return endpoint.SerializeToString()


def _calls(app_id: str, dispatch_id: str, count: int) -> list[bytes]:
    calls = []
    for start in range(0, count, CALL_SIZE):
        request = pb.SubmitRecipientsRequest(application_id=app_id, dispatch_id=dispatch_id)
        group = request.groups.add(treatment_id="0", channel_type=channel_pb2.CHANNEL_TYPE_EMAIL)
        for number in range(start, min(start + CALL_SIZE, count)):
            group.recipients.add(
                endpoint_id=f"endpoint-{number:08}",
                address=f"person{number}@shop.example",
                user_id=f"user-{number}",
                endpoint=_endpoint(number),
            )
        calls.append(request.SerializeToString())
    return calls


def client(
    address: str, count: int, side_by_side: int, told: "multiprocessing.Queue[float]"
) -> None:
    told.put(asyncio.run(_client(address, count, side_by_side)))


async def _client(address: str, count: int, side_by_side: int) -> float:
    async with aio.insecure_channel(address) as channel:
        stub = dispatch_service_pb2_grpc.DispatchServiceStub(channel)
        app_id, dispatch_id = new_id(), new_id()
        content = message_pb2.MessageContent(email=message_pb2.EmailContent(subject="Hi"))
        said = pb.DispatchContent(
            treatment_id="0", channel_type=channel_pb2.CHANNEL_TYPE_EMAIL, content=content
        )
        await stub.CreateDispatch(
            pb.CreateDispatchRequest(
                application_id=app_id, dispatch_id=dispatch_id, contents=[said]
            ),
            metadata=METADATA,
        )
        # Bytes in, bytes out: the client is not what is measured.
        send: aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/touchpoint.messaging.v1.DispatchService/SubmitRecipients"
        )
        calls = iter(_calls(app_id, dispatch_id, count))
        began = time.perf_counter()

        async def one_after_the_other() -> None:
            for call in calls:
                await send(call, metadata=METADATA)

        async with asyncio.TaskGroup() as group:
            for _ in range(side_by_side):
                group.create_task(one_after_the_other())
        return time.perf_counter() - began


async def measure(mongo_uri: str, amqp_url: str, count: int, side_by_side: int) -> None:
    prefix = servers.new_prefix()
    settings = Settings(
        mongo_uri=mongo_uri,
        amqp_url=amqp_url,
        database_prefix=prefix,
        peer_token=PEER_TOKEN,
        master_key="dGVzdHMtb25seS1tYXN0ZXIta2V5LTMyLWJ5dGVzISE=",
        grpc_listen="127.0.0.1:0",
        drain_seconds=0,
    )
    logging.configure("bench", "WARNING", "console")
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[float] = context.Queue()
    try:
        async with started(settings, setup_gateway) as process:
            for round_count in (CALL_SIZE * 4, count):
                before = resource.getrusage(resource.RUSAGE_SELF)
                child = context.Process(
                    target=client, args=(process.address, round_count, side_by_side, told)
                )
                child.start()
                seconds = await asyncio.to_thread(told.get)
                child.join()
                after = resource.getrusage(resource.RUSAGE_SELF)
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                print(
                    f"{round_count} recipients, {side_by_side} calls side by side: "
                    f"{round_count / seconds:,.0f} recipients/s, "
                    f"{cpu / round_count * 1e6:.1f} CPU µs a recipient"
                )
    finally:
        servers.drop_databases(mongo_uri, prefix)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    side_by_side = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    with ExitStack() as stack:
        mongo_uri, amqp_url = servers.given("MONGO_URI"), servers.given("AMQP_URL")
        if not mongo_uri or not amqp_url:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            ledger = stack.enter_context(servers.guarded_ledger(Path(folder)))
            mongo_uri = mongo_uri or stack.enter_context(servers.running_mongo(ledger)).address
            amqp_url = amqp_url or stack.enter_context(servers.running_rabbit(ledger)).address
        uvloop.run(measure(mongo_uri, amqp_url, count, side_by_side))


if __name__ == "__main__":
    main()
