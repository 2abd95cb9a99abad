"""The mail host on the wire: aiosmtpd with STARTTLS, AUTH, PIPELINING, 8BITMIME and SMTPUTF8.

What the email adapter may rely on: the reply to DATA is `250 2.0.0 OK: queued as <id>`, and
`<id>` is the `provider_message_id` of the log. 5xx is final, 4xx may be tried again, 421 closes
the connection. AUTH is offered over TLS only, and required when a user name is configured.
"""

import asyncio
import hmac
import logging
import re
import ssl
import time
import weakref
from dataclasses import dataclass, field
from typing import Final, Protocol, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword, Session
from aiosmtpd.smtp import Envelope as WireEnvelope

from services.sandbox.domain.traffic import Envelope, Refusal

HOSTNAME: Final = "sandbox.invalid"
# Spec section 6.3: 10 MB including attachments, here as it travels in base64.
MAX_MAIL_BYTES: Final = 14 * 1024 * 1024
# RFC 5321 4.1.2: a Mailbox of a Dot-string and a Domain, and the parameters after it.
_PLAIN_PATH: Final = re.compile(
    r"<([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*)>((?: .*)?)"
)
_DOWN: Final = b"421 4.3.2 Service not available, closing channel\r\n"


class Host(Protocol):
    """Who decides what the server says."""

    @property
    def is_down(self) -> bool:
        """Whether connections are refused."""
        ...

    def refusal_of(self, sender: str, to: str, wall_ns: int, steady_ns: int) -> Refusal | None:
        """Return how a recipient is refused, or None."""
        ...

    def delay_ms(self, recipients: list[str]) -> int:
        """Return how long to wait before the reply to DATA."""
        ...

    def accept(self, envelope: Envelope) -> str:
        """Keep a mail and return its queue id."""
        ...


@dataclass(frozen=True, slots=True)
class Login:
    """The one account; an empty user name means that no AUTH is asked for."""

    username: str
    password: str = field(repr=False)

    def check(
        self,
        _server: SMTP,
        _session: Session,
        _envelope: WireEnvelope,
        _mechanism: str,
        given: object,
    ) -> AuthResult:
        """Compare in constant time; the shape is aiosmtpd's authenticator."""
        login = cast("LoginPassword", given)
        is_right = hmac.compare_digest(login.login, self.username.encode())
        is_right &= hmac.compare_digest(login.password, self.password.encode())
        return AuthResult(success=is_right and bool(self.username), handled=False)


class _Hooks:
    """What aiosmtpd calls for each command."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        session: Session,
        _envelope: WireEnvelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        # aiosmtpd answers pipelined commands in order but does not say so.
        return [responses[0], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", *responses[1:]]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        server: SMTP,
        _session: Session,
        envelope: WireEnvelope,
        address: str,
        _options: list[str],
    ) -> str:
        refusal = self._host.refusal_of(
            _sender(envelope), address, time.time_ns(), time.monotonic_ns()
        )
        if refusal is None:
            envelope.rcpt_tos.append(address)
            return "250 2.1.5 OK"
        if refusal.hangs_up and server.transport is not None:
            # After the reply is written, which happens in this turn of the loop.
            asyncio.get_running_loop().call_soon(server.transport.close)
        return refusal.reply

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: WireEnvelope
    ) -> str:
        received_ns = time.time_ns()
        delay_ms = self._host.delay_ms(envelope.rcpt_tos)
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)
        content = cast("bytes", envelope.content)
        received = Envelope(_sender(envelope), list(envelope.rcpt_tos), content, received_ns)
        return f"250 2.0.0 OK: queued as {self._host.accept(received)}"


class _Door(SMTP):
    """aiosmtpd with a short cut for ordinary addresses."""

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        # The standard library's grammar of addresses takes a third of the time of a mail.
        found = _PLAIN_PATH.fullmatch(arg)
        if found is None:
            return super()._getaddr(arg)
        return found[1], found[2].strip()


class _ClosedDoor(asyncio.Protocol):
    """Greets with 421 and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        open_transport = cast("asyncio.Transport", transport)
        open_transport.write(_DOWN)
        open_transport.close()


class SmtpServer:
    """Listens until `close`; `port` is the real one when 0 was asked for."""

    def __init__(self, server: asyncio.Server, doors: "weakref.WeakSet[SMTP]") -> None:
        self._server = server
        self._doors = doors
        self.port: int = server.sockets[0].getsockname()[1]

    @classmethod
    async def open(
        cls, address: tuple[str, int], host: Host, login: Login, tls: ssl.SSLContext
    ) -> Self:
        """Start listening."""
        # aiosmtpd logs whole command lines, and bodies at debug.
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        loop = asyncio.get_running_loop()
        hooks = _Hooks(host)
        doors: weakref.WeakSet[SMTP] = weakref.WeakSet()

        def door() -> asyncio.Protocol:
            if host.is_down:
                return _ClosedDoor()
            made = _Door(
                hooks,
                data_size_limit=MAX_MAIL_BYTES,
                enable_SMTPUTF8=True,
                hostname=HOSTNAME,
                ident="Sandbox ESMTP",
                tls_context=tls,
                auth_required=bool(login.username),
                authenticator=login.check,
                loop=loop,
            )
            doors.add(made)
            return made

        return cls(await loop.create_server(door, *address), doors)

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        self._server.close()
        for door in list(self._doors):
            if door.transport is not None:
                door.transport.close()
        await self._server.wait_closed()


def _sender(envelope: WireEnvelope) -> str:
    sender = envelope.mail_from or ""
    return "" if sender == "<>" else sender
