"""The gRPC server: the chain around every call, health, reflection, limits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from libs.chassis.config import Settings
from libs.chassis.interceptors.auth import Authenticator, AuthInterceptor
from libs.chassis.interceptors.context import ContextInterceptor
from libs.chassis.interceptors.deadline import DeadlineInterceptor
from libs.chassis.interceptors.errors import ErrorsInterceptor
from libs.chassis.interceptors.interceptor import Interceptor
from libs.chassis.interceptors.logging import LoggingInterceptor
from libs.chassis.interceptors.metrics import MetricsInterceptor
from libs.chassis.metrics import READY
from libs.chassis.roles import method_roles, publishable_methods, streaming_methods

# Above Pinpoint's largest payload (7 MB, spec 11.8) and email's (10 MB with attachments).
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_KEEPALIVE = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True)
class Service:
    """A gRPC service of a process: full name, the generated `add_..._to_server`, servicer."""

    name: str
    register: Callable[[Any, Any], None]
    servicer: object


def chain(
    settings: Settings, authenticator: Authenticator, names: Sequence[str]
) -> tuple[Interceptor, ...]:
    """What happens around a call, outermost first."""
    return (
        ContextInterceptor(),  # ids first: every line and refusal below carries them
        LoggingInterceptor(),  # sees the final code of everything inside
        MetricsInterceptor(),  # counts refusals as well as answers
        ErrorsInterceptor(),  # outside deadline and auth, so that their refusals are mapped too
        DeadlineInterceptor(streaming_methods(names)),  # bounds authentication as well
        AuthInterceptor(
            authenticator,
            settings.peer_token.get_secret_value(),
            method_roles(names),
            publishable_methods(names),
        ),  # innermost: the servicer may rely on a principal
    )


class Server:
    """A gRPC server that is NOT_SERVING until `serve` and stops in the order clients can follow."""

    def __init__(
        self, settings: Settings, authenticator: Authenticator, services: Sequence[Service]
    ) -> None:
        self._names = [service.name for service in services]
        self._server = aio.server(
            interceptors=chain(settings, authenticator, self._names), options=_KEEPALIVE
        )
        for service in services:
            service.register(service.servicer, self._server)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )
        self.port = self._listen(settings)

    def _listen(self, settings: Settings) -> int:
        if not settings.tls_certificate_file:
            return self._server.add_insecure_port(settings.grpc_listen)
        client_ca = settings.tls_client_ca_file
        credentials = grpc.ssl_server_credentials(
            [
                (
                    Path(settings.tls_private_key_file).read_bytes(),
                    Path(settings.tls_certificate_file).read_bytes(),
                )
            ],
            root_certificates=Path(client_ca).read_bytes() if client_ca else None,
            require_client_auth=bool(client_ca),
        )
        return self._server.add_secure_port(settings.grpc_listen, credentials)

    async def start(self) -> None:
        """Listen, answering health checks with NOT_SERVING."""
        await self._set(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()

    async def serve(self) -> None:
        """Tell the world that calls are welcome."""
        await self._set(health_pb2.HealthCheckResponse.SERVING)
        READY.set(1)

    async def stop_serving(self) -> None:
        """Tell the world to go elsewhere; calls are still answered."""
        await self._set(health_pb2.HealthCheckResponse.NOT_SERVING)
        READY.set(0)

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let running ones finish."""
        await self._server.stop(grace_seconds)

    async def _set(self, status: int) -> None:
        for name in ("", *self._names):
            await self._health.set(name, status)
