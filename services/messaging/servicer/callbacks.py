"""`touchpoint.messaging.v1.CallbacksService`."""

from typing import Any, TypeAlias

from grpc import aio
from touchpoint.messaging.v1 import callbacks_service_pb2 as pb

from libs.errors import Violations
from services.messaging.domain.callbacks import Callback
from services.messaging.servicer.names import CALLBACK_SOURCES, CHANNELS
from services.messaging.usecases.callbacks import Callbacks

# grpc classes are generic in their stubs only, not when the program runs.
Context: TypeAlias = "aio.ServicerContext[Any, Any]"


class CallbacksServicer:
    """Takes what providers say."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks

    async def TakeCallback(
        self, request: pb.TakeCallbackRequest, _: Context
    ) -> pb.TakeCallbackResponse:
        source, found = CALLBACK_SOURCES.name(request.source), Violations()
        channel_type = CHANNELS.name(request.channel_type)
        found.check(request.application_id, "application_id", "is needed")
        found.check(channel_type, "channel_type", "is not known")
        found.check(source, "source", "is not known")
        found.check(request.url, "url", "is needed")
        found.raise_if_any()
        callback = Callback(
            request.application_id, channel_type, request.url, dict(request.headers), request.body
        )
        await self._callbacks.take(source, callback)
        return pb.TakeCallbackResponse()
