"""Counts and times every call, refused ones too."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.chassis.interceptors.interceptor import Call, Interceptor
from libs.chassis.interceptors.outcome import code_name
from libs.chassis.metrics import SERVER_HANDLED, SERVER_SECONDS


class MetricsInterceptor(Interceptor):
    """`grpc_server_handled_total` and `grpc_server_handling_seconds`; labels never hold an id."""

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            _, service, method = call.method.split("/", 2)
            SERVER_SECONDS.labels(service, method).observe(time.perf_counter() - start)
            SERVER_HANDLED.labels(service, method, code_name(call.context)).inc()
