"""Apple's push service over HTTP/2, as far as senders meet it.

Apple, "Sending notification requests to APNs" and "Handling notification responses from APNs".
"""

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from typing import Final, Self

import jwt
import orjson
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError

from services.sandbox.domain.push import Taker, Verdict

_READ_BYTES: Final = 65536
_MOST_BYTES: Final = 4096
_MOST_VOIP_BYTES: Final = 5120
_TOKEN_SECONDS: Final = 3600
_PREFIX: Final = "/3/device/"
_REFUSALS: Final = {
    "dead": (410, "Unregistered"),
    "reject": (400, "BadDeviceToken"),
    "throttle": (429, "TooManyRequests"),
    "defer": (503, "ServiceUnavailable"),
}
Refusal = tuple[int, str]


@dataclass(slots=True)
class _Request:
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)


class ApnsServer:
    """Listens for senders; with TLS or, for those who know it beforehand, without."""

    def __init__(self, host: Taker) -> None:
        self._host = host
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @classmethod
    async def open(cls, address: tuple[str, int], host: Taker, tls: ssl.SSLContext | None) -> Self:
        made = cls(host)
        made._server = await asyncio.start_server(made._serve, *address, ssl=tls)
        return made

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the server is not open")
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Take no more, and hang up on everybody."""
        if self._server is not None:
            self._server.close()
        for writer in [*self._open]:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await _Connection(self._host, reader, writer).run()
        except (ConnectionError, ProtocolError, ssl.SSLError):
            pass  # the sender left, or speaks something else
        finally:
            self._open.discard(writer)
            writer.close()


class _Connection:
    """One sender's connection; its requests are answered side by side."""

    def __init__(
        self, host: Taker, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._host, self._reader, self._writer = host, reader, writer
        self._wire = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._requests: dict[int, _Request] = {}
        self._has_certificate = bool(writer.get_extra_info("peercert"))

    async def run(self) -> None:
        self._wire.initiate_connection()
        self._flush()
        async with asyncio.TaskGroup() as group:
            while data := await self._reader.read(_READ_BYTES):
                for event in self._wire.receive_data(data):
                    if (stream := self._heard(event)) is not None:
                        group.create_task(self._answer(stream, self._requests.pop(stream)))
                self._flush()

    def _heard(self, event: Event) -> int | None:
        """The stream whose request is whole by this event."""
        if isinstance(event, RequestReceived) and event.stream_id:
            self._requests[event.stream_id] = _Request(_texts(event.headers or ()))
        elif isinstance(event, DataReceived) and event.stream_id in self._requests:
            self._requests[event.stream_id].body += event.data or b""
            self._wire.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
        elif isinstance(event, StreamEnded) and event.stream_id in self._requests:
            return event.stream_id
        return None

    async def _answer(self, stream: int, request: _Request) -> None:
        refusal = refusal_of(request.headers, len(request.body), self._has_certificate)
        verdict = Verdict("")
        if refusal is None:
            token = request.headers[":path"].removeprefix(_PREFIX)
            apns_id = request.headers.get("apns-id", "")
            verdict = await self._host.take("APNS", token, bytes(request.body), apns_id)
            refusal = _REFUSALS.get(verdict.kind)
        if verdict.kind == "down":
            self._wire.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
        else:
            self._say(stream, verdict, refusal)
        self._flush()

    def _say(self, stream: int, verdict: Verdict, refusal: Refusal | None) -> None:
        status, reason = refusal or (200, "")
        headers = [(":status", str(status))]
        if verdict.is_taken:
            headers.append(("apns-id", verdict.message_id))
        body = orjson.dumps({"reason": reason}) if reason else b""
        self._wire.send_headers(stream, headers, end_stream=not body)
        if body:
            self._wire.send_data(stream, body, end_stream=True)

    def _flush(self) -> None:
        if not self._writer.is_closing():
            self._writer.write(self._wire.data_to_send())


def _texts(headers: object) -> dict[str, str]:
    return {str(name): str(value) for name, value in headers}  # type: ignore[attr-defined]


def refusal_of(headers: dict[str, str], size: int, has_certificate: bool) -> Refusal | None:  # noqa: FBT001
    """What Apple finds wrong with a request before it looks at the device; None for nothing."""
    if headers.get(":method") != "POST":
        return 405, "MethodNotAllowed"
    if not headers.get(":path", "").startswith(_PREFIX):
        return 404, "BadPath"
    if (refusal := _kind_fault(headers, size)) is not None:
        return refusal
    return None if has_certificate else _token_fault(headers.get("authorization", ""))


def _kind_fault(headers: dict[str, str], size: int) -> Refusal | None:
    push_type, topic = headers.get("apns-push-type", ""), headers.get("apns-topic", "")
    if not topic:
        return 400, "MissingTopic"
    if not push_type:
        return 400, "InvalidPushType"
    if (push_type == "voip") != topic.endswith(".voip"):
        return 400, "TopicDisallowed"
    if push_type == "background" and headers.get("apns-priority") == "10":
        return 400, "BadPriority"
    if size > (_MOST_VOIP_BYTES if push_type == "voip" else _MOST_BYTES):
        return 413, "PayloadTooLarge"
    return None if size else (400, "PayloadEmpty")


def _token_fault(authorization: str) -> Refusal | None:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        return 403, "MissingProviderToken"
    try:
        head = jwt.get_unverified_header(token)
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        return 403, "InvalidProviderToken"
    if head.get("alg") != "ES256" or not head.get("kid") or not claims.get("iss"):
        return 403, "InvalidProviderToken"
    if abs(time.time() - claims.get("iat", 0)) > _TOKEN_SECONDS:
        return 403, "ExpiredProviderToken"
    return None
