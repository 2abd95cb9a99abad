"""One base for all server interceptors: a single `around` serves the four kinds of call."""

# grpc classes are generic in their stubs only, not when the program runs.
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import grpc
from grpc import aio


@dataclass(frozen=True, slots=True)
class Call:
    """The call at hand."""

    method: str
    metadata: dict[str, str]
    context: aio.ServicerContext[Any, Any]
    request: Any | None  # None for calls that stream requests


class Interceptor(aio.ServerInterceptor, ABC):
    """Wraps calls of every kind in `around`."""

    @abstractmethod
    def around(self, call: Call) -> AbstractAsyncContextManager[None]:
        """Run the body of a call inside this context."""

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        return _wrapped(self, handler, handler_call_details)


def _metadata(details: grpc.HandlerCallDetails) -> dict[str, str]:
    pairs = details.invocation_metadata or ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def _wrapped(
    interceptor: Interceptor,
    handler: grpc.RpcMethodHandler[Any, Any],
    details: grpc.HandlerCallDetails,
) -> grpc.RpcMethodHandler[Any, Any]:
    method = details.method or ""
    metadata = _metadata(details)
    streams_requests = bool(handler.request_streaming)
    inner: Any = _behaviour(handler)

    async def one(request: Any, context: Any) -> Any:  # noqa: ANN401 - any RPC message
        call = Call(method, metadata, context, None if streams_requests else request)
        async with interceptor.around(call):
            return await inner(request, context)

    async def many(request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - as above
        call = Call(method, metadata, context, None if streams_requests else request)
        async with interceptor.around(call):
            async for response in inner(request, context):
                yield response

    make: Any = _FACTORIES[(streams_requests, bool(handler.response_streaming))]
    made: grpc.RpcMethodHandler[Any, Any] = make(
        many if handler.response_streaming else one,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return made


_FACTORIES = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def _behaviour(handler: grpc.RpcMethodHandler[Any, Any]) -> object:
    return (
        handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    )
