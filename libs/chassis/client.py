"""Channels to other services: the peer token, the call's ids and its remaining time go along."""

import importlib.resources
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
from grpc import aio

from libs.chassis import context
from libs.chassis.config import Settings
from libs.chassis.server import MAX_MESSAGE_BYTES


def _options() -> list[tuple[str, str | int]]:
    # Deadlines and retries are data beside the protos; a call without a timeout gets its method's.
    policy = importlib.resources.files("touchpoint").joinpath("service_config.json").read_text()
    return [
        ("grpc.service_config", policy),
        ("grpc.enable_retries", 1),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]


class _Outgoing:
    """Adds the credentials and the call's ids to the metadata."""

    def __init__(self, peer_token: str) -> None:
        self._authorization = f"Peer {peer_token}"

    def dressed(self, details: aio.ClientCallDetails) -> aio.ClientCallDetails:
        metadata = aio.Metadata(*(details.metadata or ()))
        metadata.add("authorization", self._authorization)
        for key, value in context.headers().items():
            metadata.add(key, value)
        return aio.ClientCallDetails(
            method=details.method,
            timeout=details.timeout,
            metadata=metadata,
            credentials=details.credentials,
            wait_for_ready=True if details.wait_for_ready is None else details.wait_for_ready,
        )


class _UnaryUnary(_Outgoing, aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self,
        continuation: Callable[[aio.ClientCallDetails, Any], Any],
        client_call_details: aio.ClientCallDetails,
        request: Any,  # noqa: ANN401 - any RPC message
    ) -> Any:  # noqa: ANN401 - as above
        return await continuation(self.dressed(client_call_details), request)


class _UnaryStream(_Outgoing, aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self,
        continuation: Callable[[aio.ClientCallDetails, Any], Any],
        client_call_details: aio.ClientCallDetails,
        request: Any,  # noqa: ANN401 - any RPC message
    ) -> Any:  # noqa: ANN401 - as above
        return await continuation(self.dressed(client_call_details), request)


class _StreamUnary(_Outgoing, aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self,
        continuation: Callable[[aio.ClientCallDetails, Any], Any],
        client_call_details: aio.ClientCallDetails,
        request_iterator: Any,  # noqa: ANN401 - any RPC messages
    ) -> Any:  # noqa: ANN401 - as above
        return await continuation(self.dressed(client_call_details), request_iterator)


def open_channel(settings: Settings, address: str, stack: AsyncExitStack) -> aio.Channel:
    """A channel to a peer service, closed when the stack unwinds. Nothing is dialled yet."""
    token = settings.peer_token.get_secret_value()
    interceptors: list[Any] = [
        _UnaryUnary(token),
        _UnaryStream(token),
        _StreamUnary(token),
    ]
    if settings.tls_client_ca_file:
        credentials = grpc.ssl_channel_credentials(Path(settings.tls_client_ca_file).read_bytes())
        channel = aio.secure_channel(
            address, credentials, options=_options(), interceptors=interceptors
        )
    else:
        channel = aio.insecure_channel(address, options=_options(), interceptors=interceptors)
    stack.push_async_callback(channel.close)
    return channel
