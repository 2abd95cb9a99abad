"""Prometheus metrics, with the names of the go-grpc world, and the page that shows them."""

from contextlib import AsyncExitStack
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, start_http_server

from libs.chassis.listen import split_address

_CALL: Final = ("grpc_service", "grpc_method", "grpc_code")
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

SERVER_HANDLED: Final = Counter("grpc_server_handled", "Calls finished, by code.", _CALL)
SERVER_SECONDS: Final = Histogram(
    "grpc_server_handling_seconds", "Time to finish a call.", _CALL[:2], buckets=_BUCKETS
)
CONSUMED: Final = Counter(
    "touchpoint_bus_consumed", "Messages taken from a queue, by outcome.", ("queue", "outcome")
)
CONSUME_SECONDS: Final = Histogram(
    "touchpoint_bus_consume_seconds", "Time to handle a message.", ("queue",), buckets=_BUCKETS
)
PUBLISHED: Final = Counter(
    "touchpoint_bus_published", "Messages confirmed by the broker.", ("exchange",)
)
CERTIFICATE_DAYS_LEFT: Final = Gauge(
    "touchpoint_certificate_days_left",
    "Days until the certificate of an enabled APNs channel ends; below 0 once it has ended.",
    ("application_id", "channel_type"),
)
READY: Final = Gauge("touchpoint_ready", "1 while the process is SERVING.")


def serve(listen: str, stack: AsyncExitStack) -> None:
    """Show /metrics at `host:port` until the stack unwinds; an empty address shows nothing."""
    if not listen:
        return
    host, port = split_address(listen)
    server, thread = start_http_server(port, host)

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=2)

    stack.callback(stop)
