"""One SMPP connection, either end: sequence numbers, answers, window, keepalive and unbind."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from libs.smpp.codec import Decoder, encode
from libs.smpp.codes import MAX_SEQUENCE, RESPONSE_BIT, CommandStatus
from libs.smpp.pdu import (
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Invalid,
    Pdu,
    Unbind,
    UnbindResp,
)

Request = Callable[["Session", Pdu], None]
Lost = Callable[["Session"], None]


class SessionError(Exception):
    """A request that got no answer."""


class ConnectionLostError(SessionError):
    """The link ended first: whether the other side acted on the request is unknown."""


class ResponseTimeoutError(SessionError):
    """The other side stayed silent: whether it acted on the request is unknown."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Patience of a session, in seconds, and its greatest number of unanswered requests.

    A silent link is probed after `enquire_link_seconds` and closed when the probe itself
    goes unanswered for `response_seconds`.
    """

    window: int = 64
    response_seconds: float = 10.0
    enquire_link_seconds: float = 30.0
    # The server stops reading a peer that does not read its answers; a client must not, or
    # both would wait for each other.
    pauses_reading: bool = False


class Session(asyncio.Protocol):
    """Both ends of a link share this; `on_request` answers whatever the session itself does not.

    enquire_link, unbind, unreadable units and responses are handled here. `on_request` runs
    inside the read callback: it must not block, and answers with `send` now or later.
    """

    def __init__(
        self, on_request: Request, on_lost: Lost | None = None, limits: Limits | None = None
    ) -> None:
        self.limits: Final = limits or Limits()
        self.received_ns = 0
        self.received_wall_ns = 0
        self._on_request = on_request
        self._on_lost = on_lost
        self._decoder = Decoder()
        self._window = asyncio.Semaphore(self.limits.window)
        self._pending: dict[int, tuple[float, asyncio.Future[Pdu]]] = {}
        self._sequence = 0
        self._out: list[bytes] = []
        self._writable = asyncio.Event()
        self._writable.set()
        self._loop = asyncio.get_running_loop()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._probed_at: float | None = None
        self._transport: asyncio.Transport | None = None

    @property
    def is_closed(self) -> bool:
        """True once the connection has ended, or before it began."""
        return self._transport is None

    @property
    def peer(self) -> str:
        """The other end as host:port, for logs."""
        name = self._transport.get_extra_info("peername") if self._transport else None
        return f"{name[0]}:{name[1]}" if name else ""

    async def wait_closed(self) -> None:
        """Return when the connection has ended, for whatever reason."""
        await asyncio.shield(self._closed)

    def send(self, pdu: Pdu) -> None:
        """Write a PDU; those of one turn of the loop leave in one system call."""
        if self._transport is None or self._transport.is_closing():
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(encode(pdu))

    async def request(self, pdu: Pdu) -> Pdu:
        """Send a request under a new number and return its response or generic_nack.

        Waits for a place in the window. ConnectionLostError, ResponseTimeoutError; PduError before
        anything is sent.
        """
        async with self._window:
            await self._writable.wait()
            if self._transport is None or self._transport.is_closing():
                raise ConnectionLostError("the SMPP link is closed")
            pdu.sequence = self._next_sequence()
            self.send(pdu)
            answer: asyncio.Future[Pdu] = self._loop.create_future()
            self._pending[pdu.sequence] = (self._loop.time(), answer)
            try:
                return await answer
            finally:
                self._pending.pop(pdu.sequence, None)

    async def unbind(self) -> None:
        """Say goodbye, wait for the answer within the response time, and close."""
        try:
            await self.request(Unbind())
        except SessionError:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Close after what is written has left."""
        if self._transport is not None:
            self._flush()
            self._transport.close()

    def abort(self) -> None:
        """Drop the link at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._stamp()
        self._arm()

    def data_received(self, data: bytes) -> None:
        self._stamp()
        for pdu in self._decoder.feed(data):
            if self._transport is None or self._transport.is_closing():
                return
            self._take(pdu)

    def pause_writing(self) -> None:
        self._writable.clear()
        if self.limits.pauses_reading and self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._writable.set()
        if self.limits.pauses_reading and self._transport is not None:
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._out.clear()
        if self._timer is not None:
            self._timer.cancel()
        reason = ConnectionLostError(str(exc) if exc else "the peer closed the SMPP link")
        for _, answer in self._pending.values():
            if not answer.done():
                answer.set_exception(reason)
        self._writable.set()
        if not self._closed.done():
            self._closed.set_result(None)
        if self._on_lost is not None:
            self._on_lost(self)

    def _take(self, pdu: Pdu) -> None:
        if isinstance(pdu, Invalid):
            self._take_invalid(pdu)
        elif pdu.COMMAND & RESPONSE_BIT:
            self._resolve(pdu)
        elif isinstance(pdu, EnquireLink):
            self.send(EnquireLinkResp(pdu.sequence))
        elif isinstance(pdu, Unbind):
            self.send(UnbindResp(pdu.sequence))
            self.close()
        else:
            self._on_request(self, pdu)

    def _take_invalid(self, pdu: Invalid) -> None:
        """Section 4.3: nack what cannot be read; a broken length ends the link."""
        if pdu.command & RESPONSE_BIT and not pdu.is_fatal:
            self._resolve(GenericNack(pdu.sequence, pdu.status))
            return
        self.send(GenericNack(pdu.sequence, pdu.status))
        if pdu.is_fatal:
            self.close()

    def _resolve(self, pdu: Pdu) -> None:
        found = self._pending.get(pdu.sequence)
        if found is not None and not found[1].done():
            found[1].set_result(pdu)

    def _next_sequence(self) -> int:
        self._sequence = self._sequence % MAX_SEQUENCE + 1
        return self._sequence

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def _stamp(self) -> None:
        """Remember when these bytes were read: the time of arrival of every PDU in them."""
        self.received_ns = time.monotonic_ns()
        self.received_wall_ns = time.time_ns()
        self._probed_at = None

    def _arm(self) -> None:
        limits = self.limits
        pause = min(limits.enquire_link_seconds, limits.response_seconds) / 4
        self._timer = self._loop.call_later(max(pause, 0.01), self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        self._expire(now - self.limits.response_seconds)
        if self._probed_at is not None and now - self._probed_at > self.limits.response_seconds:
            self.abort()
            return
        self._probe(now)
        self._arm()

    def _expire(self, before: float) -> None:
        """Fail what was sent earlier; requests are kept in order, so a young one ends the walk."""
        for sent, answer in list(self._pending.values()):
            if sent > before:
                return
            if not answer.done():
                answer.set_exception(ResponseTimeoutError("no response from the SMPP peer"))

    def _probe(self, now: float) -> None:
        silent_ns = time.monotonic_ns() - self.received_ns
        if self._probed_at is None and silent_ns > self.limits.enquire_link_seconds * 1e9:
            self._probed_at = now
            self.send(EnquireLink(self._next_sequence(), CommandStatus.ESME_ROK))
