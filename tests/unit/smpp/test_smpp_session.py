"""The session and the client over real sockets on the loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from libs.smpp.client import Account, BindRefusedError, Client, Mode
from libs.smpp.codec import HEADER, encode
from libs.smpp.codes import CommandId, CommandStatus
from libs.smpp.pdu import (
    Bind,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    DeliverSm,
    DeliverSmResp,
    Pdu,
    SubmitSm,
    SubmitSmResp,
)
from libs.smpp.session import (
    ConnectionLostError,
    Limits,
    ResponseTimeoutError,
    Session,
)

OK = CommandStatus.ESME_ROK
FAST = Limits(window=4, response_seconds=0.2, enquire_link_seconds=0.1)
Answer = Callable[[Session, Pdu], None]


def answer_all(session: Session, pdu: Pdu) -> None:
    match pdu:
        case BindTransceiver():
            session.send(BindTransceiverResp(pdu.sequence, OK, "centre"))
        case BindTransmitter():
            session.send(BindTransmitterResp(pdu.sequence, OK, "centre"))
        case SubmitSm():
            session.send(SubmitSmResp(pdu.sequence, OK, f"id-{pdu.sequence}"))


class Centre:
    """A message centre of a few lines; `answer` is what the test makes of it."""

    def __init__(self, answer: Answer) -> None:
        self.sessions: list[Session] = []
        self.seen: list[Pdu] = []
        self.port = 0
        self._answer = answer

    def take(self, session: Session, pdu: Pdu) -> None:
        self.seen.append(pdu)
        if session not in self.sessions:
            self.sessions.append(session)
        self._answer(session, pdu)


@asynccontextmanager
async def centre(answer: Answer) -> AsyncIterator[Centre]:
    made = Centre(answer)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Session(made.take, limits=Limits(pauses_reading=True)), "127.0.0.1", 0
    )
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for session in made.sessions:
            session.abort()
        await server.wait_closed()


async def accept(_: DeliverSm) -> CommandStatus:
    return OK


def account(port: int, mode: Mode = Mode.TRANSCEIVER) -> Account:
    return Account("127.0.0.1", port, "me", "secret", mode=mode)


async def test_submissions_get_their_own_answers_in_any_order() -> None:
    held: list[tuple[Session, Pdu]] = []

    def shuffle(session: Session, pdu: Pdu) -> None:
        if not isinstance(pdu, SubmitSm):
            answer_all(session, pdu)
            return
        held.append((session, pdu))
        if len(held) == 4:
            for one in reversed(held):
                answer_all(*one)

    async with centre(shuffle) as made, Client(account(made.port), accept, FAST) as client:
        messages = [SubmitSm(destination_addr=str(n)) for n in range(4)]
        answers = await asyncio.gather(*map(client.submit, messages))
        assert [a.message_id for a in answers] == [f"id-{m.sequence}" for m in messages]
        assert len({m.sequence for m in messages}) == 4


async def test_the_window_is_never_exceeded() -> None:
    waiting: list[tuple[Session, Pdu]] = []
    most = 0

    def slow(session: Session, pdu: Pdu) -> None:
        nonlocal most
        if not isinstance(pdu, SubmitSm):
            answer_all(session, pdu)
            return
        waiting.append((session, pdu))
        most = max(most, len(waiting))
        asyncio.get_running_loop().call_later(0.01, lambda: answer_all(*waiting.pop(0)))

    async with centre(slow) as made, Client(account(made.port), accept, FAST) as client:
        answers = await asyncio.gather(*(client.submit(SubmitSm()) for _ in range(30)))
    assert {a.status for a in answers} == {OK}
    assert most == FAST.window


async def test_a_refused_bind_names_the_reason() -> None:
    def refuse(session: Session, pdu: Pdu) -> None:
        session.send(BindTransceiverResp(pdu.sequence, CommandStatus.ESME_RINVPASWD))

    async with centre(refuse) as made:
        with pytest.raises(BindRefusedError, match="ESME_RINVPASWD"):
            async with Client(account(made.port), accept, FAST):
                pass


async def test_a_lost_link_fails_everything_that_waits() -> None:
    def drop(session: Session, pdu: Pdu) -> None:
        if isinstance(pdu, SubmitSm) and pdu.destination_addr == "last":
            session.abort()
        elif isinstance(pdu, Bind):
            answer_all(session, pdu)

    async with centre(drop) as made, Client(account(made.port), accept, FAST) as client:
        names = ["a", "b", "last", "d", "queued behind the window"]
        outcomes = await asyncio.gather(
            *(client.submit(SubmitSm(destination_addr=n[:20])) for n in names),
            return_exceptions=True,
        )
        assert [type(o) for o in outcomes] == [ConnectionLostError] * 5
        await client.wait_closed()
        with pytest.raises(ConnectionLostError):
            await client.submit(SubmitSm())


async def test_a_silent_peer_times_out_and_frees_its_place() -> None:
    def mute(session: Session, pdu: Pdu) -> None:
        if not (isinstance(pdu, SubmitSm) and pdu.destination_addr == "mute"):
            answer_all(session, pdu)

    async with centre(mute) as made, Client(account(made.port), accept, FAST) as client:
        outcomes = await asyncio.gather(
            *(client.submit(SubmitSm(destination_addr="mute")) for _ in range(4)),
            return_exceptions=True,
        )
        assert {type(o) for o in outcomes} == {ResponseTimeoutError}
        assert (await client.submit(SubmitSm())).status == OK


async def test_inbound_messages_are_answered_with_the_handlers_status() -> None:
    async def judge(message: DeliverSm) -> CommandStatus:
        if message.short_message == b"boom":
            raise RuntimeError("a bug")
        return OK if message.short_message == b"STOP" else CommandStatus.ESME_RX_P_APPN

    async with centre(answer_all) as made, Client(account(made.port), judge, FAST) as client:
        (session,) = made.sessions
        texts = (b"STOP", b"hm", b"boom")
        answers = await asyncio.gather(
            *(session.request(DeliverSm(short_message=t)) for t in texts)
        )
        assert all(isinstance(a, DeliverSmResp) for a in answers)
        assert [a.status for a in answers] == [
            OK,
            CommandStatus.ESME_RX_P_APPN,
            CommandStatus.ESME_RX_T_APPN,
        ]
        assert (await client.submit(SubmitSm())).status == OK


async def test_leaving_lets_a_running_handler_finish_and_unbinds() -> None:
    started, release = asyncio.Event(), asyncio.Event()

    async def careful(_: DeliverSm) -> CommandStatus:
        started.set()
        await release.wait()
        return OK

    async with centre(answer_all) as made, asyncio.TaskGroup() as tasks:
        async with Client(account(made.port), careful, FAST):
            (session,) = made.sessions
            answer = tasks.create_task(session.request(DeliverSm()))
            await started.wait()
            release.set()
        assert (await answer).status == OK
        assert session.is_closed


async def test_the_callers_error_comes_out_unwrapped() -> None:
    async def never(_: DeliverSm) -> CommandStatus:
        await asyncio.Event().wait()
        return OK

    async with centre(answer_all) as made:

        async def fail_inside() -> None:
            async with Client(account(made.port), never, FAST):
                made.sessions[0].send(DeliverSm(1))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail_inside()


async def test_an_idle_link_is_probed_and_stays_up() -> None:
    async with (
        centre(answer_all) as made,
        Client(account(made.port, Mode.TRANSMITTER), accept, FAST) as client,
    ):
        session = client.session
        before = session.received_ns
        async with asyncio.timeout(5):
            while session.received_ns < before + 300_000_000:  # noqa: ASYNC110 - a clock, no event
                await asyncio.sleep(0.02)
        assert not session.is_closed


async def test_a_dead_link_is_dropped() -> None:
    """A peer that accepts the connection, binds, and then never answers again."""

    async def bind_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(16)
        await reader.readexactly(int.from_bytes(head[:4], "big") - 16)
        reply = HEADER.pack(18, CommandId.BIND_TRANSCEIVER_RESP, 0, 1) + b"c\0"
        writer.write(reply)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(bind_only, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with Client(account(port), accept, FAST) as client:
            async with asyncio.timeout(5):
                await client.wait_closed()


@pytest.mark.parametrize(
    ("sent", "reply"),
    [
        (HEADER.pack(16, 0x103, 0, 5), CommandStatus.ESME_RINVCMDID),
        (HEADER.pack(17, CommandId.SUBMIT_SM, 0, 5) + b"x", CommandStatus.ESME_RINVMSGLEN),
        (HEADER.pack(2**31, CommandId.SUBMIT_SM, 0, 5), CommandStatus.ESME_RINVCMDLEN),
    ],
)
async def test_what_cannot_be_read_is_nacked(sent: bytes, reply: CommandStatus) -> None:
    async with centre(answer_all) as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        writer.write(sent)
        nack = HEADER.unpack(await reader.readexactly(16))
        assert nack == (16, CommandId.GENERIC_NACK, reply, 5)
        writer.close()
        await writer.wait_closed()


class Pipe(asyncio.Transport):
    """A transport that only remembers."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_reading_now = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.is_reading_now = False

    def resume_reading(self) -> None:
        self.is_reading_now = True

    def close(self) -> None:
        return


@pytest.mark.parametrize("pauses", [True, False])
async def test_a_full_link_holds_requests_back_and_only_a_server_stops_reading(
    pauses: bool,  # noqa: FBT001 - a case
) -> None:
    session, pipe = Session(answer_all, limits=Limits(pauses_reading=pauses)), Pipe()
    session.connection_made(pipe)
    session.pause_writing()
    assert pipe.is_reading_now is not pauses
    async with asyncio.TaskGroup() as group:
        group.create_task(session.request(SubmitSm()))
        for _ in range(5):
            await asyncio.sleep(0)
        assert pipe.written == b""
        session.resume_writing()
        assert pipe.is_reading_now
        while not pipe.written:  # noqa: ASYNC110 - the turns of this loop
            await asyncio.sleep(0)
        session.data_received(encode(SubmitSmResp(1)))
    session.connection_lost(None)


def test_a_vendors_status_is_told_by_its_number() -> None:
    assert str(BindRefusedError(0x0401)) == "bind refused: 0x00000401"


async def test_a_client_outside_its_block_is_refused() -> None:
    with pytest.raises(RuntimeError, match="outside its context"):
        await Client(account(1), accept).submit(SubmitSm())
