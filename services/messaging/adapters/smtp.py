"""Mail over SMTP: a pool of connections, one transaction a mail, replies mapped to answers.

The client library reads one reply a command, so commands are not pipelined; the pool's
connections work side by side instead.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.errors import SMTPTimeoutError

from libs.chassis.logging import get_logger
from services.messaging.adapters.smtp_replies import accepted, refused
from services.messaging.domain.outbound import Outbound, OutboundEmail, Turn
from services.messaging.domain.outcomes import Answer, Status

# Servers close idle connections, RFC 5321 4.5.3.2.7 after five minutes at the earliest.
IDLE_SECONDS: Final = 60.0
_NOT_CALLED: Final = Answer(Status.NOT_CALLED)
_LOST: Final = Answer(Status.UNKNOWN_FAILURE, detail="the connection ended before the reply")
_NO_UTF8: Final = "5.6.7 the address needs SMTPUTF8, which the server does not speak"
_AWAY: Final = (OSError, SMTPException, TimeoutError)


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed to. `security` is STARTTLS, TLS or NONE."""

    host: str
    port: int
    security: str = "STARTTLS"
    username: str = ""
    password: str = field(default="", repr=False)
    verify_certificate: bool = True
    connections: int = 4
    helo_name: str = "localhost"
    timeout_seconds: float = 20.0


class SmtpAdapter:
    """A pool of connections to one mail server; they are opened when mail comes and reused."""

    def __init__(self, server: MailServer) -> None:
        self._server = server
        self._idle: list[tuple[float, SMTP]] = []
        self._tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def run(self) -> None:
        """Close connections that nothing was sent over for a while, until cancelled."""
        try:
            while True:
                await asyncio.sleep(IDLE_SECONDS / 4)
                await self._close_idle(IDLE_SECONDS)
        finally:
            await self.close()

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        await self._close_idle(0.0)

    async def ready(self) -> bool:
        """Whether a connection is open or can be opened now."""
        connection = await self._take()
        if connection is None:
            return False
        self._give(connection)
        return True

    async def send(self, messages: Sequence[Outbound], turn: Turn | None = None) -> list[Answer]:
        """One transaction a mail, over as many connections as there are."""
        answers = [_NOT_CALLED] * len(messages)
        left = deque((n, m) for n, m in enumerate(messages) if isinstance(m, OutboundEmail))
        try:
            async with asyncio.timeout(self._server.timeout_seconds), asyncio.TaskGroup() as group:
                for _ in range(min(self._server.connections, len(left))):
                    group.create_task(self._lane(left, answers, turn))
        except TimeoutError:
            get_logger().warning("mail_server_slow")
        return answers

    async def _lane(
        self, left: deque[tuple[int, OutboundEmail]], answers: list[Answer], turn: Turn | None
    ) -> None:
        connection: SMTP | None = None
        try:
            while left:
                if connection is None or not connection.is_connected:
                    connection = await self._take()
                if connection is None or not left:
                    return
                number, mail = left.popleft()
                answered = await turn() if turn is not None else None
                answers[number] = _LOST  # what is true from here on if this task is cancelled
                answers[number] = await self._deliver(connection, mail)
                if answered is not None:
                    answered()
        except asyncio.CancelledError:
            if connection is not None:
                connection.close()  # in the middle of a transaction
            raise
        finally:
            if connection is not None:
                self._give(connection)

    async def _deliver(self, connection: SMTP, mail: OutboundEmail) -> Answer:
        """One transaction. A connection that turns out to be dead before DATA changes nothing."""
        is_data_sent = False
        try:
            refusal = await self._envelope(connection, mail)
            if refusal is not None:
                return refusal
            is_data_sent = True
            return await self._data(connection, mail.body)
        except UnicodeEncodeError:
            await _reset(connection)
            return refused(553, _NO_UTF8, of_recipient=True)
        except ValueError:
            # The library refuses control characters; nothing of the command was written.
            await _reset(connection)
            return refused(501, "5.1.3 the address cannot stand in a command", of_recipient=True)
        except (SMTPServerDisconnected, SMTPTimeoutError, OSError) as error:
            connection.close()
            return _LOST if is_data_sent else Answer(Status.NOT_CALLED, detail=type(error).__name__)
        except SMTPResponseException as error:
            # The server speaks something else; nobody knows what it understood.
            connection.close()
            detail = f"{error.code} unreadable reply"
            return Answer(Status.UNKNOWN_FAILURE, detail=detail) if is_data_sent else _NOT_CALLED

    async def _envelope(self, connection: SMTP, mail: OutboundEmail) -> Answer | None:
        encoding, options = "ascii", []
        if connection.supports_extension("8bitmime"):
            options.append(b"BODY=8BITMIME")
        if not mail.to.isascii() and connection.supports_extension("smtputf8"):
            encoding = "utf-8"
            options.append(b"SMTPUTF8")
        sender = b"FROM:<%b>" % mail.sender.encode(encoding)
        reply = await connection.execute_command(b"MAIL", sender, *options)
        if reply.code != 250:
            await _reset(connection)
            return refused(reply.code, reply.message, of_sender=True)
        to = b"TO:<%b>" % mail.to.encode(encoding)
        reply = await connection.execute_command(b"RCPT", to)
        if reply.code in {250, 251}:
            return None
        await _reset(connection)
        return refused(reply.code, reply.message, of_recipient=True)

    async def _data(self, connection: SMTP, body: bytes) -> Answer:
        reply = await connection.execute_command(b"DATA")
        if reply.code != 354:
            await _reset(connection)
            return refused(reply.code, reply.message)
        protocol = connection.protocol
        if protocol is None:
            raise SMTPServerDisconnected("closed before the body")
        if body.startswith(b"."):
            body = b"." + body
        protocol.write(body.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        reply = await protocol.read_response(timeout=self._server.timeout_seconds)
        if reply.code == 250:
            return accepted(reply.message)
        if reply.code == 421:
            connection.close()
        return refused(reply.code, reply.message)

    async def _take(self) -> SMTP | None:
        while self._idle:
            _, connection = self._idle.pop()
            if connection.is_connected:
                return connection
        try:
            return await self._connect()
        except _AWAY as error:
            get_logger().warning("mail_server_unreachable", cause=type(error).__name__)
            return None

    async def _connect(self) -> SMTP:
        server = self._server
        if self._tls is None and server.security != "NONE":
            self._tls = _context(verify=server.verify_certificate)
        connection = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            local_hostname=server.helo_name,
            timeout=server.timeout_seconds,
            use_tls=server.security == "TLS",
            start_tls=server.security == "STARTTLS",
            tls_context=self._tls,
        )
        try:
            await connection.connect()
            if connection.is_ehlo_or_helo_needed:
                await connection.ehlo()
        except BaseException:
            connection.close()
            raise
        return connection

    def _give(self, connection: SMTP) -> None:
        if connection.is_connected:
            self._idle.append((asyncio.get_running_loop().time(), connection))

    async def _close_idle(self, after_seconds: float) -> None:
        before = asyncio.get_running_loop().time() - after_seconds
        old = [c for since, c in self._idle if since <= before]
        self._idle = [(since, c) for since, c in self._idle if since > before]
        for connection in old:
            try:
                await connection.quit(timeout=2)
            except _AWAY:
                connection.close()


def _context(*, verify: bool) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _reset(connection: SMTP) -> None:
    """Forget the transaction; a connection that cannot is closed."""
    if not connection.is_connected:
        return
    try:
        reply = await connection.execute_command(b"RSET")
    except _AWAY:
        connection.close()
        return
    if reply.code != 250:
        connection.close()
