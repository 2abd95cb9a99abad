"""One line a call: method, code, duration. Health checks and reflection at debug."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.chassis.interceptors.interceptor import Call, Interceptor
from libs.chassis.interceptors.outcome import code_name
from libs.chassis.logging import get_logger

_QUIET = ("/grpc.health.", "/grpc.reflection.")


class LoggingInterceptor(Interceptor):
    """Logs each finished call; requests and answers are never logged."""

    def __init__(self) -> None:
        self._log = get_logger()

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            log = self._log.debug if call.method.startswith(_QUIET) else self._log.info
            log(
                "call_finished",
                method=call.method,
                code=code_name(call.context),
                duration_ms=round((time.perf_counter() - start) * 1000, 2),
            )
