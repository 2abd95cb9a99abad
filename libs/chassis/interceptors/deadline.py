"""Bounds every unary call: the caller's remaining time, and a cap of ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.chassis.interceptors.interceptor import Call, Interceptor

CAP_SECONDS = 60.0
# Streams carry long answers; their own progress bounds them.
STREAM_CAP_SECONDS = 3600.0


class DeadlineInterceptor(Interceptor):
    """Cancels work nobody waits for any more."""

    def __init__(self, streaming_methods: frozenset[str] = frozenset()) -> None:
        self._streaming = streaming_methods

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        cap = STREAM_CAP_SECONDS if call.method in self._streaming else CAP_SECONDS
        remaining = call.context.time_remaining()
        async with asyncio.timeout(min(remaining if remaining is not None else cap, cap)):
            yield
