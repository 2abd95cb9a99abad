"""Where providers call back: `POST /callbacks/{source}/{application_id}/{channel}`.

Nothing is read here: messaging checks the provider's signature with the keys of the channel. The
answers are those that providers act on: 2xx is done, 403 is forged, 503 is to come again.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import grpc
from grpc import aio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from libs.chassis import context
from libs.chassis.logging import get_logger
from libs.ids import new_id
from services.links.domain import CALLBACK_CHANNELS, CALLBACK_SOURCES, Callback, in_path

Take = Callable[[Callback], Awaitable[None]]

PATH: Final = "/callbacks/{source}/{application_id}/{channel}"
# Amazon SNS sends the most: a message of 256 KiB, quoted within JSON.
MOST_BODY_BYTES: Final = 1_048_576
_LONGEST_ID: Final = 64
_ANSWERS: Final[Mapping[grpc.StatusCode, int]] = {
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.UNIMPLEMENTED: 404,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
}
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class CallbackRoute:
    """Hands calls over; `public_url` is how providers reach the links service."""

    def __init__(self, public_url: str, take: Take) -> None:
        self._public_url = public_url.rstrip("/")
        self._take = take

    async def take(self, request: Request) -> Response:
        """204 when what it says is in force."""
        source = in_path(request.path_params["source"], CALLBACK_SOURCES)
        channel = in_path(request.path_params["channel"], CALLBACK_CHANNELS)
        app_id = request.path_params["application_id"]
        if not source or not channel or len(app_id) > _LONGEST_ID:
            return _answer(404)
        body = await _body(request)
        if body is None:
            return _answer(413)
        url = self._public_url + _target(request)
        callback = Callback(source, app_id, channel, url, dict(request.headers), body)
        with context.call(new_id(), app_id):
            return _answer(await self._hand_over(callback))

    async def _hand_over(self, callback: Callback) -> int:
        try:
            await self._take(callback)
        except aio.AioRpcError as error:
            get_logger().warning(
                "callback_failed", source=callback.source, peer_code=error.code().name
            )
            return _ANSWERS.get(error.code(), 503)
        return 204


async def _body(request: Request) -> bytes | None:
    """The whole body; None when it is larger than any provider's."""
    read = bytearray()
    try:
        async for piece in request.stream():
            read += piece
            if len(read) > MOST_BODY_BYTES:
                return None
    except ClientDisconnect:
        return None
    return bytes(read)


def _target(request: Request) -> str:
    # As it came: a provider signs the characters it sent, not what they mean.
    path = request.scope["raw_path"].decode("latin-1")
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def _answer(status: int) -> Response:
    more = {"retry-after": "5"} if status == 503 else {}
    return Response(status_code=status, headers={**_HEADERS, **more})
