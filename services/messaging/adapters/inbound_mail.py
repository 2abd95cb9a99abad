"""Mail that comes back: bounces (RFC 3464) and abuse reports (RFC 5965) at the return path."""

import asyncio
import email
import email.policy
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from email.message import Message
from types import TracebackType
from typing import Final, Self, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from libs.chassis.logging import get_logger
from services.messaging.domain.outbound import MailReport

# What comes back may hold the whole mail: 10 MB (spec 6.3) in base64.
MAX_MAIL_BYTES: Final = 15 * 1024 * 1024
OnReport = Callable[[MailReport], Awaitable[None]]
_RETURN_PATH: Final = re.compile(r"bounce\+([0-9a-f]{32})@", re.IGNORECASE)
_STATUS: Final = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


def report_of(message_id: str, content: bytes) -> MailReport | None:
    """The report in a mail to the return path of a message; None when it holds none."""
    # The old policy never raises on what other hosts write.
    mail = email.message_from_bytes(content, policy=email.policy.compat32)
    for part in mail.walk():
        kind = part.get_content_type()
        if kind == "message/feedback-report":
            return _complaint(message_id, part)
        if kind == "message/delivery-status":
            return _bounce(message_id, part)
    return None


def _bounce(message_id: str, part: Message) -> MailReport | None:
    """The worst of the recipients' fields; our mails have one recipient."""
    for block in _blocks(part):
        action = str(block.get("Action", "")).strip().lower()
        if not action:
            continue
        found = _STATUS.search(str(block.get("Status", "")))
        status = found.group() if found else ""
        detail = " ".join(str(block.get("Diagnostic-Code", "")).split())
        if action in {"failed", "delayed"}:
            return MailReport(message_id, "bounce", status, detail, action == "failed")
    return None


def _complaint(message_id: str, part: Message) -> MailReport | None:
    kind = ""
    for block in (*_blocks(part), *_reparsed(part)):
        kind = kind or str(block.get("Feedback-Type", "")).strip().lower()
    # RFC 5965 3.1: `not-spam` takes a complaint back, `virus` and others are none of a person's.
    return MailReport(message_id, "complaint", detail=kind) if kind in {"abuse", "fraud"} else None


def _blocks(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from cast("list[Message]", payload)


def _reparsed(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    if isinstance(payload, str):
        yield email.message_from_string(payload)


class _Hooks:
    """What aiosmtpd calls for each command."""

    def __init__(self, on_report: OnReport) -> None:
        self._on_report = on_report

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if not _RETURN_PATH.match(address):
            return "550 5.1.1 nobody reads mail to this address"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = cast("bytes", envelope.content)
        for address in envelope.rcpt_tos:
            found = _RETURN_PATH.match(address)
            report = report_of(found.group(1).lower(), content) if found else None
            if report is None:
                continue
            try:
                await self._on_report(report)
            except Exception as error:
                get_logger().warning("mail_report_refused", cause=type(error).__name__)
                return "451 4.3.0 try again later"
        return "250 2.0.0 OK"


class InboundMail:
    """An async context that listens; `port` is the real one when 0 was asked for."""

    def __init__(self, address: tuple[str, int], on_report: OnReport, hostname: str = "") -> None:
        self.port = 0
        self._address = address
        self._hooks = _Hooks(on_report)
        self._hostname = hostname or "localhost"
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        # aiosmtpd logs whole command lines, and bodies at debug.
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._door, *self._address)
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
            await self._server.wait_closed()

    def _door(self) -> SMTP:
        return SMTP(
            self._hooks,
            data_size_limit=MAX_MAIL_BYTES,
            hostname=self._hostname,
            ident="Touchpoint ESMTP",
            loop=asyncio.get_running_loop(),
        )
