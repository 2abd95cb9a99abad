"""Runs a real service inside the test's loop and opens channels to it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc import aio
from grpc_status import rpc_status

from libs.chassis.client import open_channel
from libs.chassis.run import Process, Setup, started

PEER_TOKEN = "peer-token-of-the-tests"
MASTER_KEY = "dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q="
LINK_KEY = "link-signing-key-of-the-tests"


def common(mongo_uri: str, amqp_url: str, database_prefix: str, **more: object) -> dict[str, Any]:
    """Settings every service gets in a test."""
    return {
        "environment": "test",
        "grpc_listen": "127.0.0.1:0",
        "drain_seconds": 0,
        "mongo_uri": mongo_uri,
        "amqp_url": amqp_url,
        "database_prefix": database_prefix,
        "peer_token": PEER_TOKEN,
        "master_key": MASTER_KEY,
        "link_signing_key": LINK_KEY,
        **more,
    }


@dataclass(frozen=True)
class Running:
    """A service that runs, and a channel to it that carries the peer token."""

    process: Process
    channel: aio.Channel

    @property
    def address(self) -> str:
        return self.process.address


@asynccontextmanager
async def running(settings: Any, setup: Setup[Any]) -> AsyncIterator[Running]:
    """Run a service on a port of its own."""
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(started(settings, setup))
        yield Running(process, open_channel(settings, process.address, stack))


@asynccontextmanager
async def keyed(address: str, access_key_id: str, secret: str) -> AsyncIterator[aio.Channel]:
    """Open a channel as a program outside does: with an API key on every call."""
    token = f"Bearer {access_key_id}:{secret}"
    async with aio.insecure_channel(address, interceptors=[_Bearer(token)]) as channel:
        yield channel


class _Bearer(aio.UnaryUnaryClientInterceptor):
    def __init__(self, token: str) -> None:
        self._token = token

    async def intercept_unary_unary(
        self,
        continuation: Callable[[aio.ClientCallDetails, Any], Awaitable[Any]],
        client_call_details: aio.ClientCallDetails,
        request: Any,
    ) -> Any:
        metadata = aio.Metadata(*(client_call_details.metadata or ()))
        metadata.add("authorization", self._token)
        details = aio.ClientCallDetails(
            client_call_details.method,
            client_call_details.timeout,
            metadata,
            client_call_details.credentials,
            client_call_details.wait_for_ready,
        )
        return await continuation(details, request)


@dataclass(frozen=True)
class Refusal:
    """A refused call, taken apart."""

    code: str
    reason: str
    fields: frozenset[str]
    metadata: dict[str, str]
    retry_seconds: float | None


def refusal(error: aio.AioRpcError) -> Refusal:
    """Read the rich status of a refused call."""
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    seconds: float | None = None
    # AioRpcError has the three methods that are read here, though its stub is no `Call`.
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for part in status.details if status else ():
        for kind in (info, bad, retry):
            _unpack(part, kind)
        if part.Is(retry.DESCRIPTOR):
            seconds = retry.retry_delay.ToTimedelta().total_seconds()
    return Refusal(
        error.code().name,
        info.reason,
        frozenset(v.field for v in bad.field_violations),
        dict(info.metadata),
        seconds,
    )


def _unpack(part: Any, kind: Message) -> None:
    if part.Is(kind.DESCRIPTOR):
        part.Unpack(kind)
