"""The REST edge against the same calls over gRPC: CPU a request, and events a second.

`python -m tests.bench.bench_rest [--calls 3000] [--events 50000]`. The whole platform runs on this
machine, started as a user starts it; CPU is that of all its processes, read from the kernel, so
that what the edge costs the services behind it counts too. The client's own CPU does not.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from grpc import aio
from touchpoint.endpoints.v1 import endpoints_service_pb2 as pb
from touchpoint.endpoints.v1 import endpoints_service_pb2_grpc as rpc

from deploy.local.ledger import Ledger
from tests.support import servers
from tests.support.conformance.wire import Wire
from tests.support.conformance.world import World, build, client
from tests.support.stack import running_stack

TICKS = os.sysconf("SC_CLK_TCK")
EVENTS_A_REQUEST = 100
IN_FLIGHT = 8
GOAL_MS, GOAL_EVENTS = 1.5, 5_000


def cpu(pids: Sequence[int]) -> float:
    """CPU seconds of processes so far."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


async def per_call(
    call: Callable[[], Awaitable[None]], calls: int, pids: Sequence[int]
) -> tuple[float, float]:
    """CPU milliseconds a call, and calls a second."""
    for _ in range(200):
        await call()
    before, started = cpu(pids), time.perf_counter()
    for _ in range(calls // IN_FLIGHT):
        await asyncio.gather(*(call() for _ in range(IN_FLIGHT)))
    seconds = time.perf_counter() - started
    done = calls // IN_FLIGHT * IN_FLIGHT
    return (cpu(pids) - before) * 1000 / done, done / seconds


async def compared(
    variables: dict[str, str], world: World, calls: int, pids: Sequence[int]
) -> None:
    """GetEndpoint over REST and over gRPC, turn by turn."""
    wire = _wire(variables)
    path = f"/v1/apps/{world.ids['ApplicationId']}/endpoints/endpoint-1"
    token = f"Bearer {wire.access_key_id}:{wire.secret}"
    request = pb.GetEndpointRequest(
        application_id=world.ids["ApplicationId"], endpoint_id="endpoint-1"
    )
    async with (
        aiohttp.ClientSession() as session,
        aio.insecure_channel(variables["TOUCHPOINT_GRPC_ENDPOINTS"]) as channel,
    ):
        stub: Any = rpc.EndpointsServiceStub(channel)

        async def over_rest() -> None:
            headers = wire.signed("GET", path)
            async with session.get(wire.url + path, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

        async def over_grpc() -> None:
            await stub.GetEndpoint(request, metadata=(("authorization", token),))

        for turn in range(3):
            rest = await per_call(over_rest, calls, pids)
            grpc = await per_call(over_grpc, calls, pids)
            more = rest[0] - grpc[0]
            print(
                f"turn {turn + 1}: REST {rest[0]:.2f} ms CPU, {rest[1]:,.0f}/s   "
                f"gRPC {grpc[0]:.2f} ms CPU, {grpc[1]:,.0f}/s   "
                f"REST costs {more:.2f} ms more ({more / GOAL_MS:.2f} of the {GOAL_MS} allowed)"
            )


async def put_events(variables: dict[str, str], world: World, events: int) -> None:
    """PutEvents of 100 events a request over REST, events a second acknowledged."""
    wire, app_id = _wire(variables), world.ids["ApplicationId"]
    path = f"/v1/apps/{app_id}/events"
    bodies = iter([_body(number) for number in range(events // EVENTS_A_REQUEST)])
    async with aiohttp.ClientSession() as session:

        async def feed() -> None:
            for body in bodies:
                headers = wire.signed("POST", path, body)
                async with session.post(wire.url + path, data=body, headers=headers) as answer:
                    assert answer.status == 202, await answer.text()
                    await answer.read()

        started = time.perf_counter()
        await asyncio.gather(*(feed() for _ in range(IN_FLIGHT)))
        rate = events / (time.perf_counter() - started)
    print(f"PutEvents over REST {rate:,.0f} events/s, {rate / GOAL_EVENTS:.2f} of the goal")


def _body(number: int) -> bytes:
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    items: dict[str, Any] = {}
    for index in range(EVENTS_A_REQUEST):
        item = items.setdefault(f"client-{index % 10}", {"Endpoint": {}, "Events": {}})
        item["Events"][f"event-{number}-{index}"] = {
            "EventType": "screen",
            "Timestamp": now,
            "Attributes": {"screen": f"screen-{index % 50}", "plan": "premium"},
            "Metrics": {"load_ms": index + 0.5},
        }
    return json.dumps({"BatchItem": items}).encode()


def _wire(variables: dict[str, str]) -> Wire:
    return Wire(
        variables["TOUCHPOINT_REST_URL"],
        variables["TOUCHPOINT_ACCESS_KEY_ID"],
        variables["TOUCHPOINT_SECRET_ACCESS_KEY"],
    )


def main() -> None:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=3_000)
    parser.add_argument("--events", type=int, default=50_000)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        servers.guarded_ledger(Path(name) / "servers") as own,
        servers.running_mongo(own) as mongo,
        servers.running_rabbit(own) as rabbit,
    ):
        folder = Path(name) / "platform"
        given = {"MONGO_URI": mongo.address, "AMQP_URL": rabbit.address}
        with running_stack(folder, given) as variables:
            wire = _wire(variables)
            world = build(client(wire.url, wire.access_key_id, wire.secret))
            pids = [entry.pid for entry in Ledger(folder).entries]
            asyncio.run(compared(variables, world, asked.calls, pids))
            asyncio.run(put_events(variables, world, asked.events))


if __name__ == "__main__":
    main()
