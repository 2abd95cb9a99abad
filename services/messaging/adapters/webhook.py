"""Webhooks over HTTP: up to fifty endpoints a request, signed, to URLs whose owner agreed.

What a receiver sees stands at `touchpoint.messaging.v1.WebhooksService`.
"""

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp
import orjson

from libs.chassis.urls import check_url
from libs.errors import UrlForbidden
from libs.ids import derived_id
from services.messaging.adapters.guarded_resolver import GuardedResolver
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import Answered, Outbound, OutboundWebhook, Turn
from services.messaging.domain.outcomes import Answer, Status
from services.messaging.domain.webhooks import (
    DEADLINE_SECONDS,
    MESSAGE_IDS_HEADER,
    MOST_BYTES,
    MOST_ENDPOINTS,
    OWNER_HEADER,
    WebhookCall,
    owners_of,
    read_answer,
    signature,
)

OWNED_SECONDS: Final = 3600.0
STRANGE_SECONDS: Final = 10.0
"""How long it is remembered that a URL's owner agreed, and that he did not."""
_OWNER_SECONDS: Final = 5.0
_BEFORE_SECONDS: Final = 8.0
"""For everything before the request itself; with its deadline, less than the lease of a claim."""
_MOST_KNOWN: Final = 10_000
_CONNECTIONS: Final = 64
_AGAIN: Final = frozenset({408, 425, 429})
_READ_BYTES: Final = 65_536
_FIELD: Final = "delivery_uri"


class _Refused(Exception):
    """The webhook is not to be called, or refuses; the text says why."""


class _Away(Exception):
    """The webhook did not take it this time; the text says why."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far requests go: hosts an operator trusts, certificates in the system's place."""

    allowed_hosts: Collection[str] = ()
    ca_file: str = ""
    timeout_seconds: float = DEADLINE_SECONDS


class WebhookAdapter:
    """Calls the webhooks of every application."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._owned: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()
        self._asking: dict[tuple[str, str], asyncio.Lock] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(_FIELD, reach.allowed_hosts),
                use_dns_cache=False,
                limit=_CONNECTIONS,
                ssl=ssl.create_default_context(cafile=reach.ca_file or None),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # nothing that is small on the way becomes large here
            headers={"accept-encoding": "identity", "user-agent": "Touchpoint"},
        )

    async def run(self) -> None:
        """Keep the connections until cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            await self._session.close()

    async def ready(self) -> bool:
        return True  # each URL is well or not by itself

    async def send(self, messages: Sequence[Outbound], turn: Turn | None = None) -> list[Answer]:
        """Call side by side; answers in the order of the messages."""
        async with asyncio.TaskGroup() as group:
            tasks = []
            for chunk in chunks(messages):
                turns = [await turn() for _ in chunk] if turn else []
                tasks.append(group.create_task(self._deliver(chunk, turns)))
        return [answer for task in tasks for answer in task.result()]

    async def _deliver(
        self, chunk: Sequence[OutboundWebhook], turns: Sequence[Answered]
    ) -> list[Answer]:
        try:
            answer = await self._call(chunk)
        except _Refused as why:
            return [_failed(Status.PERMANENT_FAILURE, str(why))] * len(chunk)
        except _Away as why:
            return [_failed(Status.TEMPORARY_FAILURE, str(why))] * len(chunk)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # Whether the receiver has it or not: it takes a message once (`TAKES_OUR_ID`).
            return [_failed(Status.TEMPORARY_FAILURE, type(error).__name__)] * len(chunk)
        finally:
            for answered in turns:
                answered()
        return _taken(chunk, answer)

    async def _call(self, chunk: Sequence[OutboundWebhook]) -> bytes:
        """The body of the answer. Raises _Refused, _Away and what aiohttp raises."""
        call, body = chunk[0].call, body_of(chunk)
        if len(body) > MOST_BYTES:
            raise _Refused(f"an endpoint is larger than {MOST_BYTES} bytes")
        async with asyncio.timeout(_BEFORE_SECONDS):
            await self._check(call.url)
            await self._ask_owner(call)
        async with (
            asyncio.timeout(self._reach.timeout_seconds),
            self._session.post(
                call.url, data=body, headers=headers_of(chunk, body), allow_redirects=False
            ) as answer,
        ):
            _check_status(answer.status)
            return await _read(answer)

    async def _check(self, url: str) -> None:
        try:
            await check_url(_FIELD, url, self._reach.allowed_hosts)
        except UrlForbidden as error:
            if isinstance(error.__cause__, OSError):  # nobody knows the host just now
                raise _Away(error.message) from error
            raise _Refused(error.message) from error

    async def _ask_owner(self, call: WebhookCall) -> None:
        """Go on only if the owner of the URL named the application, lately or now."""
        key = (call.url, call.app_id)
        lock = self._asking.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                until, why = self._owned.get(key, (0.0, ""))
                if time.monotonic() >= until:
                    why = await self._stranger(call)
                    lasts = STRANGE_SECONDS if why else OWNED_SECONDS
                    self._remember(key, (time.monotonic() + lasts, why))
        finally:
            if not lock.locked():
                self._asking.pop(key, None)
        if why:
            raise _Refused(why)

    async def _stranger(self, call: WebhookCall) -> str:
        """Why the URL is not to be called; empty when its owner agreed."""
        async with (
            asyncio.timeout(_OWNER_SECONDS),
            self._session.head(call.url, allow_redirects=False) as answer,
        ):
            _check_status(answer.status, "HEAD ")
            named = owners_of(",".join(answer.headers.getall(OWNER_HEADER, ())))
        if call.app_id in named:
            return ""
        return f"the answer to HEAD does not name the application in {OWNER_HEADER}"

    def _remember(self, key: tuple[str, str], found: tuple[float, str]) -> None:
        self._owned[key] = found
        self._owned.move_to_end(key)
        if len(self._owned) > _MOST_KNOWN:
            self._owned.popitem(last=False)


def chunks(messages: Sequence[Outbound]) -> Iterator[list[OutboundWebhook]]:
    """The messages of one request each: at most fifty endpoints, none twice, within the size."""
    chunk: list[OutboundWebhook] = []
    seen: set[str] = set()
    size = 0
    for one in messages:
        if not isinstance(one, OutboundWebhook):
            raise TypeError("a webhook takes endpoints alone")
        weight = len(one.document) + 8 * len(one.endpoint_id)
        full = len(chunk) >= MOST_ENDPOINTS or size + weight > MOST_BYTES - _head_size(one.call)
        if chunk and (full or one.endpoint_id in seen or one.call is not chunk[0].call):
            yield chunk
            chunk, seen, size = [], set(), 0
        chunk.append(one)
        seen.add(one.endpoint_id)
        size += weight
    if chunk:
        yield chunk


def _head_size(call: WebhookCall) -> int:
    return len(orjson.dumps(call.head)) + 1000


def body_of(chunk: Sequence[OutboundWebhook]) -> bytes:
    """The request of spec 6.8."""
    endpoints = {one.endpoint_id: orjson.Fragment(one.document) for one in chunk}
    return orjson.dumps({**chunk[0].call.head, "Endpoints": endpoints})


def headers_of(chunk: Sequence[OutboundWebhook], body: bytes) -> dict[str, str]:
    """The same id for the same messages, whenever they come."""
    ids = [one.message_id for one in chunk]
    webhook_id, timestamp = derived_id("webhook", *ids), int(time.time())
    return {
        "content-type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(chunk[0].call.keys, webhook_id, timestamp, body),
        MESSAGE_IDS_HEADER: ",".join(ids),
    }


def _check_status(status: int, what: str = "") -> None:
    if status in _AGAIN or status >= 500:
        raise _Away(f"{what}{status}")
    if not 200 <= status < 300:
        raise _Refused(f"{what}{status}")


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """The body of an answer that was given; one that breaks off or is too large says nothing."""
    read = bytearray()
    try:
        async for piece in answer.content.iter_chunked(_READ_BYTES):
            read += piece
            if len(read) > MOST_BYTES:
                return b"!"
    except (aiohttp.ClientError, TimeoutError):
        return b"!"
    return bytes(read)


def _taken(chunk: Sequence[OutboundWebhook], body: bytes) -> list[Answer]:
    reading = read_answer(body)
    detail = "" if reading.is_whole else "not all of the answer could be read"
    return [
        Answer(
            Status.SUCCESSFUL, detail=detail, attributes=reading.attributes.get(one.endpoint_id, ())
        )
        for one in chunk
    ]


def _failed(status: Status, detail: str) -> Answer:
    return Answer(status, detail=detail, reason=Reason.CUSTOM_DELIVERY_FAILURE)
