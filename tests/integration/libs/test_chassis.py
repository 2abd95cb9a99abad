"""The chassis: health, reflection, errors, deadlines, roles, and an end that finishes calls."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from touchpoint.templates.v1 import templates_service_pb2 as pb
from touchpoint.templates.v1 import templates_service_pb2_grpc as rpc

from libs.chassis.config import Settings
from libs.chassis.run import Parts
from libs.chassis.server import Service
from tests.support.running import PEER_TOKEN, Running, keyed, refusal, running
from tests.support.slow_process import NAME, Servicer

SERVING = health_pb2.HealthCheckResponse.SERVING


def _settings() -> Settings:
    return Settings(peer_token=PEER_TOKEN, drain_seconds=0, grpc_listen="127.0.0.1:0")


@pytest.fixture
async def servicer() -> Servicer:
    return Servicer()  # type: ignore[abstract]  # the other methods are left unimplemented


@pytest.fixture
async def service(servicer: Servicer) -> AsyncIterator[Running]:
    async def setup(_: Settings, __: AsyncExitStack) -> Parts:
        register = rpc.add_TemplatesServiceServicer_to_server
        return Parts(services=[Service(NAME, register, servicer)])

    async with running(_settings(), setup) as process:
        yield process


async def _refused(service: Running, name: str, **options: Any) -> aio.AioRpcError:
    stub = rpc.TemplatesServiceStub(service.channel)
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.GetTemplate(pb.GetTemplateRequest(template_name=name), **options)
    return caught.value


async def test_health_is_told_for_the_process_and_each_service(service: Running) -> None:
    stub: Any = health_pb2_grpc.HealthStub(service.channel)
    for name in ("", NAME):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == SERVING


async def test_reflection_needs_no_key_and_knows_every_method(service: Running) -> None:
    async with aio.insecure_channel(service.address) as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]

        async def ask() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
            yield reflection_pb2.ServerReflectionRequest(list_services="")
            yield reflection_pb2.ServerReflectionRequest(file_containing_symbol=NAME)

        answers = [answer async for answer in stub.ServerReflectionInfo(ask())]
    names = {s.name for s in answers[0].list_services_response.service}
    assert NAME in names
    assert b"UpdateTemplateActiveVersion" in b"".join(
        answers[1].file_descriptor_response.file_descriptor_proto
    )


async def test_a_crash_says_nothing_but_an_id(
    service: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    error = await _refused(service, "crash", metadata=(("x-request-id", "my-request"),))
    told = refusal(error)
    assert (told.code, told.reason) == ("INTERNAL", "INTERNAL")
    assert told.metadata == {"request_id": "my-request"}
    assert "hunter2" not in str(error)
    assert ("x-request-id", "my-request") in tuple(error.initial_metadata())


async def test_retry_and_quota_details_travel_along(service: Running) -> None:
    rate = refusal(await _refused(service, "rate"))
    assert (rate.code, rate.retry_seconds) == ("RESOURCE_EXHAUSTED", 0.5)
    quota = refusal(await _refused(service, "quota"))
    assert quota.metadata == {"quota": "templates", "limit": "3"}


async def test_a_call_ends_with_its_deadline(service: Running, servicer: Servicer) -> None:
    error = await _refused(service, "wait", timeout=0.3)
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert servicer.entered.is_set()


async def test_keys_are_unknown_without_the_applications_service(service: Running) -> None:
    async with keyed(service.address, "TPX", "secret") as channel:
        with pytest.raises(aio.AioRpcError) as caught:
            await rpc.TemplatesServiceStub(channel).GetTemplate(pb.GetTemplateRequest())
    assert refusal(caught.value).reason == "UNAUTHENTICATED"


async def test_a_method_that_is_not_implemented_says_so(service: Running) -> None:
    stub = rpc.TemplatesServiceStub(service.channel)
    with pytest.raises(aio.AioRpcError) as caught:
        await stub.ListTemplates(pb.ListTemplatesRequest())
    told = refusal(caught.value)
    assert (told.code, told.metadata) == ("UNIMPLEMENTED", {"feature": "ListTemplates"})


async def test_a_call_in_flight_survives_sigterm_and_the_process_ends_with_zero() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.slow_process",
        env={"PEER_TOKEN": PEER_TOKEN, "GRPC_LISTEN": "127.0.0.1:0", "DRAIN_SECONDS": "0.1"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        port = await asyncio.wait_for(_port(process), 30)
        metadata = (("authorization", f"Peer {PEER_TOKEN}"),)
        async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = rpc.TemplatesServiceStub(channel)
            request = pb.GetTemplateRequest(template_name="second")
            call = stub.GetTemplate(request, metadata=metadata)
            await call.initial_metadata()  # sent by the outermost interceptor: the call is in
            process.send_signal(signal.SIGTERM)
            assert await call == pb.GetTemplateResponse()
        assert await asyncio.wait_for(process.wait(), 15) == 0
    finally:
        if process.returncode is None:
            process.kill()


async def _port(process: asyncio.subprocess.Process) -> int:
    assert process.stderr is not None
    async for line in process.stderr:
        if b"process_started" in line:
            return int(line.split(b'"port": ')[1].split(b",")[0].rstrip(b"} \n"))
    raise AssertionError("the process ended before it started")
