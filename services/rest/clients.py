"""Calls of the other services by name, as the key that signed the request; and the keys."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc import aio
from grpc_status import rpc_status
from touchpoint.analytics.v1 import analytics_service_pb2 as _analytics
from touchpoint.applications.v1 import applications_service_pb2 as _applications
from touchpoint.applications.v1 import applications_service_pb2_grpc as applications_rpc
from touchpoint.campaigns.v1 import campaigns_service_pb2 as _campaigns
from touchpoint.campaigns.v1 import in_app_service_pb2 as _in_app
from touchpoint.common.v1 import access_pb2
from touchpoint.common.v1 import tags_service_pb2 as _tags
from touchpoint.endpoints.v1 import endpoints_service_pb2 as _endpoints
from touchpoint.endpoints.v1 import import_service_pb2 as _imports
from touchpoint.messaging.v1 import channels_service_pb2 as _channels
from touchpoint.messaging.v1 import messaging_service_pb2 as _messaging
from touchpoint.messaging.v1 import otp_service_pb2 as _otp
from touchpoint.messaging.v1 import phone_numbers_service_pb2 as _numbers
from touchpoint.segmentation.v1 import export_service_pb2 as _exports
from touchpoint.segmentation.v1 import segmentation_service_pb2 as _segmentation
from touchpoint.templates.v1 import templates_service_pb2 as _templates

from libs.chassis.interceptors.auth import ACTING_FOR
from libs.chassis.keys import REMEMBER_SECONDS
from libs.errors import DependencyUnavailable

# Importing these puts their services where `descriptor_pool` finds them by name.
CONTRACTS: Final = (
    _analytics,
    _applications,
    _campaigns,
    _channels,
    _endpoints,
    _exports,
    _imports,
    _in_app,
    _messaging,
    _numbers,
    _otp,
    _segmentation,
    _tags,
    _templates,
)
_MOST_KEYS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rpc:
    """One method of a service: its path on the wire and its messages."""

    service: str
    path: str
    request: type[Message]
    answer: type[Message]
    streams_in: bool = False  # takes a stream, of which the edge sends the first message alone


def rpc_of(name: str) -> Rpc:
    """The method `endpoints.v1.EndpointsService/GetEndpoint` of package touchpoint."""
    service, _, method = name.partition("/")
    found = descriptor_pool.Default().FindServiceByName(f"touchpoint.{service}")
    described = found.methods_by_name[method]
    return Rpc(
        service.split(".")[0],
        f"/touchpoint.{name}",
        message_factory.GetMessageClass(described.input_type),
        message_factory.GetMessageClass(described.output_type),
        described.client_streaming,
    )


class Services:
    """Calls any method of any service. `channels` is by service name."""

    def __init__(self, channels: Mapping[str, aio.Channel]) -> None:
        self._channels = channels
        self._calls: dict[tuple[str, str], Any] = {}

    async def call(self, rpc: Rpc, request: Message, access_key_id: str) -> Message:
        """The answer, with the rights of the key. Raises aio.AioRpcError."""
        name = (rpc.service, rpc.path)
        method = self._calls.get(name)
        if method is None:
            method = self._calls[name] = self._method(rpc)
        sent = iter([request]) if rpc.streams_in else request
        answer: Message = await method(sent, metadata=((ACTING_FOR, access_key_id),))
        return answer

    def _method(self, rpc: Rpc) -> Any:  # noqa: ANN401 - one of two kinds of multicallable
        channel = self._channels[rpc.service]
        open_method = channel.stream_unary if rpc.streams_in else channel.unary_unary
        return open_method(
            rpc.path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=rpc.answer.FromString,
        )


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the edge needs it. `secret` is never logged."""

    access_key_id: str
    secret: str
    publishable: bool


class Keys:
    """Signing keys, asked for once per 30 seconds; unknown ones are remembered too."""

    def __init__(self, channel: aio.Channel) -> None:
        self._stub = applications_rpc.ApiKeysServiceStub(channel)
        self._known: dict[str, tuple[float, Key | None]] = {}

    async def find(self, access_key_id: str) -> Key | None:
        """The key; None when there is none that works. Raises DependencyUnavailable."""
        until, key = self._known.get(access_key_id, (0.0, None))
        if until < time.monotonic():
            key = await self._resolve(access_key_id)
            if len(self._known) >= _MOST_KEYS:
                self._known.clear()
            self._known[access_key_id] = (time.monotonic() + REMEMBER_SECONDS, key)
        return key

    async def _resolve(self, access_key_id: str) -> Key | None:
        request = _applications.ResolveSigningKeyRequest(access_key_id=access_key_id)
        try:
            found = await self._stub.ResolveSigningKey(request, timeout=5)
        except aio.AioRpcError as error:
            if error.code() in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT}:
                return None
            raise DependencyUnavailable("applications") from error
        # Disabled and expired keys are refused by the service that is called.
        publishable = found.api_key.role == access_pb2.ROLE_PUBLISHABLE
        return Key(access_key_id, found.secret_access_key, publishable)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused call, taken apart."""

    code: str
    reason: str
    message: str
    violations: Sequence[tuple[str, str]]
    retry_seconds: float | None


def refusal(error: aio.AioRpcError) -> Refusal:
    """Read the rich status of a refused call (google.rpc.Status)."""
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    # AioRpcError has the three methods that are read here, though its stub is no `Call`.
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for part in status.details if status else ():
        for kind in (info, bad, retry):
            if part.Is(kind.DESCRIPTOR):
                part.Unpack(kind)
    seconds = retry.retry_delay.ToTimedelta().total_seconds()
    return Refusal(
        error.code().name,
        info.reason,
        error.details() or error.code().name,
        [(violation.field, violation.description) for violation in bad.field_violations],
        seconds or None,
    )
