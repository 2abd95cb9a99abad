"""The application's end of an SMPP link: bind, submit, receive; reconnecting is the caller's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum
from ssl import SSLContext
from types import TracebackType
from typing import Self

import structlog

from libs.smpp.codes import CommandStatus, status_name
from libs.smpp.pdu import (
    Bind,
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    DeliverSmResp,
    GenericNack,
    Pdu,
    SubmitSm,
    SubmitSmResp,
)
from libs.smpp.session import Limits, Session, SessionError

log = structlog.get_logger(__name__)

Deliver = Callable[[DeliverSm], Awaitable[CommandStatus]]


class Mode(Enum):
    """The direction of a bind."""

    TRANSCEIVER = BindTransceiver
    TRANSMITTER = BindTransmitter
    RECEIVER = BindReceiver


class BindRefusedError(SessionError):
    """The message centre did not accept the bind; `status` is its reason."""

    def __init__(self, status: int) -> None:
        super().__init__(f"bind refused: {status_name(status)}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Account:
    """Where to bind and as whom; `password` is at most 8 characters (section 4.1.1)."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    mode: Mode = Mode.TRANSCEIVER
    ssl: SSLContext | None = None


class Client:
    """An async context that is bound inside its block and unbinds at the end.

    `on_deliver` gets each inbound message or receipt and returns the status to answer with;
    it may await, several run at once, and an exception in it answers ESME_RX_T_APPN so that
    the message centre tries again. Entering raises OSError, SessionError or BindRefusedError.
    """

    def __init__(self, account: Account, on_deliver: Deliver, limits: Limits | None = None) -> None:
        self._account = account
        self._on_deliver = on_deliver
        self._limits = limits or Limits()
        self._tasks = asyncio.TaskGroup()
        self._session: Session | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._is_leaving = False

    @property
    def session(self) -> Session:
        """The live link; RuntimeError outside the block."""
        if self._session is None:
            raise RuntimeError("the SMPP client is used outside its context")
        return self._session

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        try:
            await self._connect()
        except BaseException:
            await self._tasks.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._is_leaving = True
        try:
            if kind is not None:
                self._cancel_deliveries()
            # The error in flight is the caller's: handed to the group it would come back wrapped.
            await self._tasks.__aexit__(None, None, None)
        finally:
            await self.session.unbind()

    async def submit(self, message: SubmitSm) -> SubmitSmResp:
        """Submit one part and return the answer, whatever its status; waits for the window.

        A generic_nack becomes a response with its status. ConnectionLostError and
        ResponseTimeoutError leave open whether the message centre took the part. Sets
        `message.sequence`.
        """
        answer = await self.session.request(message)
        if isinstance(answer, SubmitSmResp):
            return answer
        status = answer.status or CommandStatus.ESME_RUNKNOWNERR
        return SubmitSmResp(answer.sequence, status)

    async def wait_closed(self) -> None:
        """Return when the link has ended."""
        await self.session.wait_closed()

    async def _connect(self) -> None:
        account = self._account
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._limits.response_seconds):
            _, self._session = await loop.create_connection(
                lambda: Session(self._take, limits=self._limits),
                account.host,
                account.port,
                ssl=account.ssl,
            )
        try:
            await self._bind(self._session)
        except BaseException:
            self._session.abort()
            raise

    async def _bind(self, session: Session) -> None:
        account = self._account
        kind: type[Bind] = account.mode.value
        answer = await session.request(
            kind(
                system_id=account.system_id,
                password=account.password,
                system_type=account.system_type,
            )
        )
        if answer.status != CommandStatus.ESME_ROK or isinstance(answer, GenericNack):
            raise BindRefusedError(answer.status)

    def _take(self, session: Session, pdu: Pdu) -> None:
        if not isinstance(pdu, DeliverSm):
            session.send(GenericNack(pdu.sequence, CommandStatus.ESME_RINVBNDSTS))
        elif self._is_leaving:
            session.send(DeliverSmResp(pdu.sequence, CommandStatus.ESME_RX_T_APPN))
        else:
            task = self._tasks.create_task(self._deliver(session, pdu))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _deliver(self, session: Session, message: DeliverSm) -> None:
        status = CommandStatus.ESME_RX_T_APPN
        try:
            status = await self._on_deliver(message)
        except Exception as error:
            # One message must not end the link; its text may not reach the log.
            log.error("inbound_message_failed", error=type(error).__name__)  # noqa: TRY400
        finally:
            session.send(DeliverSmResp(message.sequence, status))

    def _cancel_deliveries(self) -> None:
        for task in self._running:
            task.cancel()
