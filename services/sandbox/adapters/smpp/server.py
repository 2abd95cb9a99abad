"""The server: binds, links, answers, and what waits to be delivered."""

import asyncio
import hmac
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Final, Protocol, Self

from libs.smpp.codes import (
    INTERFACE_VERSION,
    CommandId,
    CommandStatus,
    Tag,
)
from libs.smpp.pdu import (
    Bind,
    BindReceiver,
    BindReceiverResp,
    BindResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    DeliverSm,
    GenericNack,
    Pdu,
    SubmitSm,
    SubmitSmResp,
)
from libs.smpp.session import Limits, Session, SessionError
from services.sandbox.adapters.smpp.translate import messages_of, receipt_of, submission_of
from services.sandbox.domain.traffic import Answer, Inbound, Report, Submission

SERVER_ID: Final = "sandbox"
RETRY_SECONDS: Final = 1.0
MAX_ATTEMPTS: Final = 60
LIMITS: Final = Limits(window=64, response_seconds=10, enquire_link_seconds=30, pauses_reading=True)
_AGAIN: Final = frozenset(
    {
        CommandStatus.ESME_RX_T_APPN,
        CommandStatus.ESME_RMSGQFUL,
        CommandStatus.ESME_RTHROTTLED,
    }
)
_RESPONSES: Final[dict[type[Bind], type[BindResp]]] = {
    BindReceiver: BindReceiverResp,
    BindTransmitter: BindTransmitterResp,
    BindTransceiver: BindTransceiverResp,
}


class Centre(Protocol):
    """Who decides what the server answers."""

    @property
    def is_down(self) -> bool:
        """Whether binds are refused and links dropped."""
        ...

    def submit(self, part: Submission, way_back: "SmppServer") -> Answer:
        """Answer one part."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """The one account of the centre."""

    system_id: str
    password: str = field(repr=False)

    def refusal_of(self, bind: Bind) -> CommandStatus | None:
        """Return why a bind is not let in, or None."""
        if bind.system_id != self.system_id:
            return CommandStatus.ESME_RINVSYSID
        if not hmac.compare_digest(bind.password.encode(), self.password.encode()):
            return CommandStatus.ESME_RINVPASWD
        return None


@dataclass(slots=True)
class Outgoing:
    """A deliver_sm on its way, and how often it was tried."""

    message: DeliverSm
    attempts: int = 0


@dataclass(slots=True)
class Link:
    """A bound session; `pump` sends it what waits, if it receives at all."""

    submits: bool
    pump: asyncio.Task[None] | None = None


class SmppServer:
    """An async context that listens; `port` is the real one when 0 was asked for."""

    def __init__(self, address: tuple[str, int], centre: Centre, credentials: Credentials) -> None:
        self.port = 0
        self._address = address
        self._centre = centre
        self._credentials = credentials
        self._sessions: set[Session] = set()
        self._links: dict[Session, Link] = {}
        self._waiting: asyncio.Queue[Outgoing] = asyncio.Queue()
        self._tasks = asyncio.TaskGroup()
        self._server: asyncio.Server | None = None
        self._reference = 0

    @property
    def waiting(self) -> int:
        """How many receipts and inbound messages wait for a receiving link."""
        return self._waiting.qsize()

    @property
    def bound(self) -> int:
        """How many links are bound."""
        return len(self._links)

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, *self._address)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        for session in list(self._sessions):
            session.abort()
        await self._tasks.__aexit__(None, None, None)

    def drop_if_down(self) -> None:
        """Cut every link once the whole centre is out of service."""
        if self._centre.is_down:
            for session in list(self._sessions):
                session.abort()

    def forget(self) -> None:
        """Drop what waits for a receiving link."""
        while not self._waiting.empty():
            self._waiting.get_nowait()

    def report(self, report: Report) -> None:
        """Queue a delivery receipt."""
        self._send(receipt_of(report))

    def deliver(self, inbound: Inbound) -> int:
        """Queue a person's message; returns its number of parts."""
        self._reference += 1
        messages = messages_of(inbound, self._reference)
        for message in messages:
            self._send(message)
        return len(messages)

    def _send(self, message: DeliverSm) -> None:
        self._waiting.put_nowait(Outgoing(message))

    def _session(self) -> Session:
        session = Session(self._take, self._lost, LIMITS)
        self._sessions.add(session)
        return session

    def _lost(self, session: Session) -> None:
        self._sessions.discard(session)
        link = self._links.pop(session, None)
        if link is not None and link.pump is not None:
            link.pump.cancel()

    def _take(self, session: Session, pdu: Pdu) -> None:
        if isinstance(pdu, SubmitSm):
            self._take_submit(session, pdu)
        elif isinstance(pdu, Bind):
            self._take_bind(session, pdu)
        else:
            session.send(GenericNack(pdu.sequence, CommandStatus.ESME_RINVCMDID))

    def _take_bind(self, session: Session, bind: Bind) -> None:
        respond = partial(_RESPONSES[type(bind)], bind.sequence)
        if session in self._links:
            session.send(respond(CommandStatus.ESME_RALYBND))
            return
        refusal = self._credentials.refusal_of(bind)
        if self._centre.is_down:
            refusal = CommandStatus.ESME_RBINDFAIL
        if refusal is not None:
            session.send(respond(refusal))
            session.close()
            return
        version = {int(Tag.SC_INTERFACE_VERSION): bytes((INTERFACE_VERSION,))}
        session.send(respond(CommandStatus.ESME_ROK, SERVER_ID, version))
        link = Link(submits=bind.COMMAND != CommandId.BIND_RECEIVER)
        if bind.COMMAND != CommandId.BIND_TRANSMITTER:
            link.pump = self._tasks.create_task(self._pump(session))
        self._links[session] = link

    def _take_submit(self, session: Session, message: SubmitSm) -> None:
        link = self._links.get(session)
        if link is None or not link.submits:
            session.send(SubmitSmResp(message.sequence, CommandStatus.ESME_RINVBNDSTS))
            return
        if not message.destination_addr:
            session.send(SubmitSmResp(message.sequence, CommandStatus.ESME_RINVDSTADR))
            return
        answer = self._centre.submit(submission_of(session, message), self)
        if answer.drops_link:
            session.abort()
        elif not answer.is_silent:
            self._answer(session, message.sequence, answer)

    def _answer(self, session: Session, sequence: int, answer: Answer) -> None:
        response = SubmitSmResp(sequence, CommandStatus[answer.status], answer.message_id)
        if answer.delay_ms:
            loop = asyncio.get_running_loop()
            loop.call_later(answer.delay_ms / 1000, session.send, response)
        else:
            session.send(response)

    async def _pump(self, session: Session) -> None:
        """Send what waits over one link, as many at once as its window allows."""
        window = asyncio.Semaphore(LIMITS.window)
        while True:
            await window.acquire()
            item = await self._waiting.get()
            task = self._tasks.create_task(self._deliver(session, item))
            task.add_done_callback(lambda _: window.release())

    async def _deliver(self, session: Session, item: Outgoing) -> None:
        item.attempts += 1
        try:
            answer = await session.request(item.message)
        except SessionError:
            self._again(item)
        else:
            if answer.status in _AGAIN:
                self._again(item)

    def _again(self, item: Outgoing) -> None:
        if item.attempts < MAX_ATTEMPTS:
            loop = asyncio.get_running_loop()
            loop.call_later(RETRY_SECONDS, self._waiting.put_nowait, item)
