"""Opt-outs reach messaging before the write is acknowledged; messaging away means no answer."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from grpc import aio
from pymongo import MongoClient
from touchpoint.endpoints.v1 import endpoint_pb2 as resource
from touchpoint.endpoints.v1 import endpoints_service_pb2 as pb
from touchpoint.endpoints.v1 import import_service_pb2 as import_pb
from touchpoint.messaging.v1 import dispatch_service_pb2 as dispatch
from touchpoint.messaging.v1 import dispatch_service_pb2_grpc as dispatch_rpc

from services.endpoints.config import Settings
from services.endpoints.domain.identity import document_id
from services.endpoints.setup import setup
from tests.integration.endpoints.conftest import Endpoints, eventually
from tests.support.running import PEER_TOKEN, common, refusal, running

OUT, BACK = resource.OPT_OUT_ALL, resource.OPT_OUT_NONE


class Messaging(dispatch_rpc.DispatchServiceServicer):
    """Remembers what it is told, and whether the endpoint had been written by then."""

    def __init__(self, collection: Any) -> None:
        self.told: list[tuple[str, list[str], list[str]]] = []
        self.stored: list[str | None] = []
        self.away = False
        self._collection = collection

    async def RecordOptOuts(  # noqa: N802
        self, request: dispatch.RecordOptOutsRequest, context: Any
    ) -> dispatch.RecordOptOutsResponse:
        metadata = dict(context.invocation_metadata())
        assert metadata["authorization"] == f"Peer {PEER_TOKEN}"
        if self.away:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "away")
        out, back = list(request.opted_out_endpoint_ids), list(request.opted_in_endpoint_ids)
        self.told.append((request.application_id, out, back))
        for name in (*out, *back):
            key = {"_id": document_id(request.application_id, name)}
            found = self._collection.find_one(key)
            self.stored.append(found and found["opt_out"])
        return dispatch.RecordOptOutsResponse()


@pytest.fixture(scope="module")
async def both(
    mongo_uri: str, amqp_url: str, database_prefix: str
) -> AsyncIterator[tuple[Endpoints, Messaging]]:
    prefix = f"{database_prefix}c_"
    async with AsyncExitStack() as stack:
        mongo = stack.enter_context(MongoClient[dict[str, Any]](mongo_uri))
        # The other RPCs of the service are never called.
        messaging = Messaging(mongo[f"{prefix}endpoints"]["endpoints"])  # type: ignore[abstract]
        server = aio.server()
        dispatch_rpc.add_DispatchServiceServicer_to_server(messaging, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        stack.push_async_callback(server.stop, None)
        given = common(mongo_uri, amqp_url, prefix, messaging_addr=f"127.0.0.1:{port}")
        process = await stack.enter_async_context(running(Settings(**given), setup))
        yield Endpoints(process), messaging


@pytest.fixture
def messaging(both: tuple[Endpoints, Messaging]) -> Messaging:
    both[1].told.clear()
    both[1].stored.clear()
    both[1].away = False
    return both[1]


@pytest.fixture
def service(both: tuple[Endpoints, Messaging]) -> Endpoints:
    return both[0]


async def test_out_is_told_before_the_write_and_back_after_it(
    service: Endpoints, messaging: Messaging, app_id: str
) -> None:
    await service.put(app_id, "Ana", opt_out=BACK)
    assert messaging.told == []
    await service.put(app_id, "ana", opt_out=OUT)
    await service.put(app_id, "ana", metrics={"m": 1})
    await service.put(app_id, "ana", opt_out=BACK)
    assert messaging.told == [(app_id, ["Ana"], []), (app_id, [], ["Ana"])]
    assert messaging.stored == ["NONE", "NONE"]


async def test_a_batch_tells_once_and_only_of_those_that_changed(
    service: Endpoints, messaging: Messaging, app_id: str
) -> None:
    items = [resource.Endpoint(endpoint_id=f"e{n}", opt_out=OUT) for n in range(3)]
    items.append(resource.Endpoint(endpoint_id="in", opt_out=BACK))
    request = pb.BatchUpdateEndpointsRequest(application_id=app_id, endpoints=items)
    await service.endpoints.BatchUpdateEndpoints(request)
    await service.endpoints.BatchUpdateEndpoints(request)
    assert messaging.told == [(app_id, ["e0", "e1", "e2"], [])]


async def test_nothing_is_written_when_the_opt_out_cannot_be_told(
    service: Endpoints, messaging: Messaging, app_id: str
) -> None:
    await service.put(app_id, "e")
    messaging.away = True
    with pytest.raises(aio.AioRpcError) as caught:
        await service.put(app_id, "e", opt_out=OUT)
    assert refusal(caught.value).reason == "DEPENDENCY_UNAVAILABLE"
    assert (await service.get(app_id, "e")).opt_out == BACK


async def test_an_import_tells_too_and_waits_while_messaging_is_away(
    service: Endpoints, messaging: Messaging, app_id: str
) -> None:
    messaging.away = True
    what = import_pb.ImportJobDefinition(
        application_id=app_id, format=import_pb.IMPORT_FORMAT_CSV, register_endpoints=True
    )
    data = b"Id,ChannelType,Address,OptOut\na,SMS,+1,ALL\nb,SMS,+2,NONE\n"
    job = await service.upload(what, data)
    messaging.away = False

    async def done() -> bool:
        found = await service.job(app_id, job.job_id)
        return found.job_status == import_pb.JOB_STATUS_COMPLETED

    await eventually(done)
    assert messaging.told == [(app_id, ["a"], [])]
