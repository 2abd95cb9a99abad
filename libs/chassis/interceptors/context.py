"""Outermost: gives the call its ids, and tells the caller the request id."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.chassis import context
from libs.chassis.interceptors.interceptor import Call, Interceptor
from libs.ids import new_id

_LONGEST = 128


class ContextInterceptor(Interceptor):
    """Request id from the caller or new; sent back in the initial metadata."""

    @asynccontextmanager
    async def around(self, call: Call) -> AsyncIterator[None]:
        request_id = call.metadata.get(context.REQUEST_ID, "")[:_LONGEST] or new_id()
        with context.call(request_id):
            await call.context.send_initial_metadata(((context.REQUEST_ID, request_id),))
            yield
