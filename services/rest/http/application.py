"""One handler for every path: find the operation, check who asks, serve, answer in AWS's form."""

from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from libs.chassis import context
from libs.chassis.logging import get_logger
from libs.errors import DependencyUnavailable
from libs.ids import new_id
from services.rest.domain.encoding import Occasion
from services.rest.domain.failures import Failure, bad_request
from services.rest.domain.model import Found, Model
from services.rest.domain.signatures import Received
from services.rest.http.door import Door
from services.rest.usecases.calls import Calls, Request

_METHODS: Final = ["GET", "POST", "PUT", "DELETE", "PATCH"]
_TYPE: Final = "application/json"


class Edge:
    """Answers HTTP requests in Amazon Pinpoint's wire format."""

    def __init__(self, model: Model, door: Door, calls: Calls, most_body_bytes: int) -> None:
        self._model = model
        self._door = door
        self._calls = calls
        self._most = most_body_bytes

    async def handle(self, http: HttpRequest) -> Response:
        request_id = new_id()
        with context.call(request_id):
            try:
                return await self._served(http, request_id)
            except Failure as failure:
                return _refused(failure, request_id)
            except DependencyUnavailable as error:
                unavailable = Failure("InternalServerErrorException", 500, error.message)
                return _refused(unavailable, request_id)
            except Exception:
                get_logger().exception("request_failed", path=http.url.path)
                fault = Failure("InternalServerErrorException", 500, "An internal error occurred")
                return _refused(fault, request_id)

    async def _served(self, http: HttpRequest, request_id: str) -> Response:
        received = await self._received(http)
        access_key_id, region = await self._door.caller(received)
        found = self._found(received)
        occasion = Occasion(request_id, region)
        lists = parse_qs(received.query, keep_blank_values=True)
        query = {name: values[-1] for name, values in lists.items()}
        told = await self._calls.serve(
            Request(
                found.action,
                {**query, **found.parameters},
                _body(received.body) if found.action.payload else None,
                access_key_id,
                occasion,
                lists,
            )
        )
        content = b"" if told is None else orjson.dumps(told)
        return _response(content, found.action.status, request_id)

    def _found(self, received: Received) -> Found:
        found = self._model.find(received.method, received.path)
        if found is not None:
            return found
        if self._model.knows_path(received.path):
            raise Failure("MethodNotAllowedException", 405, f"{received.method} is not for here")
        raise Failure("NotFoundException", 404, "There is no such path")

    async def _received(self, http: HttpRequest) -> Received:
        body = bytearray()
        async for chunk in http.stream():
            body += chunk
            if len(body) > self._most:
                raise Failure("PayloadTooLargeException", 413, f"More than {self._most} bytes")
        raw_path: bytes = http.scope["raw_path"]
        return Received(
            http.method,
            raw_path.split(b"?")[0].decode("latin-1"),
            http.scope["query_string"].decode("latin-1"),
            dict(http.headers),
            bytes(body),
        )


def _body(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        return orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise bad_request(f"The body is not JSON: {error}") from error


def _refused(failure: Failure, request_id: str) -> Response:
    told = {"Message": failure.message, "RequestID": request_id}
    response = _response(orjson.dumps(told), failure.status, request_id)
    response.headers["x-amzn-errortype"] = failure.name
    if failure.retry_seconds:
        response.headers["retry-after"] = str(max(1, round(failure.retry_seconds)))
    return response


def _response(content: bytes, status: int, request_id: str) -> Response:
    headers = {"x-amzn-requestid": request_id, "cache-control": "no-store"}
    return Response(content, status, headers, media_type=_TYPE)


async def _health(_request: HttpRequest) -> Response:
    return PlainTextResponse("ok", headers={"cache-control": "no-store"})


def application(edge: Edge) -> Starlette:
    """The edge as an ASGI application."""
    return Starlette(
        routes=[
            Route("/healthz", _health, methods=["GET"]),
            Route("/{path:path}", edge.handle, methods=_METHODS),
        ]
    )
