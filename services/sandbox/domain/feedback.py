"""What mail hosts send back: delivery status notices (RFC 3464) and abuse reports (RFC 5965)."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Final

HOST: Final = "sandbox.invalid"
_NOTICE: Final = "This is the mail system at host {host}.\r\n\r\n{what}\r\n"


@dataclass(frozen=True, slots=True)
class Returned:
    """The mail a report speaks of: its envelope, the id it was queued under, and its bytes."""

    mail_from: str
    to: str
    queue_id: str
    content: bytes
    received: datetime


def bounce(mail: Returned, status: str, diagnostic: str, now: datetime) -> bytes:
    """Build a failed-delivery notification.

    `status` is an RFC 3463 code such as 5.1.1; one of class 4 reports `delayed`.
    """
    notice = _NOTICE.format(
        host=HOST, what=f"Your message to <{mail.to}> could not be delivered: {diagnostic}"
    )
    action = "delayed" if status.startswith("4") else "failed"
    per_message = [
        ("Reporting-MTA", f"dns; {HOST}"),
        ("X-Sandbox-Queue-ID", mail.queue_id),
        ("Arrival-Date", format_datetime(mail.received)),
    ]
    per_recipient = [
        ("Final-Recipient", f"rfc822; {mail.to}"),
        ("Original-Recipient", f"rfc822; {mail.to}"),
        ("Action", action),
        ("Status", status),
        ("Remote-MTA", f"dns; {HOST}"),
        ("Diagnostic-Code", f"smtp; {_smtp_code(status)} {status} {diagnostic}"),
    ]
    body = _fields(per_message) + b"\r\n" + _fields(per_recipient)
    head = _head("delivery-status", "Undelivered Mail Returned to Sender", mail, now)
    return _joined(head, notice, ("message/delivery-status", body), mail)


def complaint(mail: Returned, now: datetime) -> bytes:
    """Build an abuse report in the format of RFC 5965, as feedback loops send it."""
    notice = _NOTICE.format(host=HOST, what="A recipient marked this message as spam.")
    body = _fields(
        [
            ("Feedback-Type", "abuse"),
            ("User-Agent", "Sandbox/1.0"),
            ("Version", "1"),
            ("Original-Mail-From", f"<{mail.mail_from}>"),
            ("Original-Rcpt-To", f"<{mail.to}>"),
            ("Arrival-Date", format_datetime(mail.received)),
            ("Reporting-MTA", f"dns; {HOST}"),
        ]
    )
    head = _head("feedback-report", "FW: complaint about your message", mail, now)
    return _joined(head, notice, ("message/feedback-report", body), mail)


def _head(kind: str, subject: str, mail: Returned, now: datetime) -> list[tuple[str, str]]:
    boundary = _boundary(mail)
    return [
        ("From", f"Mail Delivery System <MAILER-DAEMON@{HOST}>"),
        ("To", mail.mail_from),
        ("Date", format_datetime(now)),
        ("Subject", subject),
        ("Message-ID", f"<{mail.queue_id}.{int(now.timestamp() * 1e6):x}@{HOST}>"),
        ("Auto-Submitted", "auto-replied"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/report; report-type={kind}; boundary="{boundary}"'),
    ]


def _joined(
    head: list[tuple[str, str]], notice: str, machine: tuple[str, bytes], mail: Returned
) -> bytes:
    """Join the three parts of RFC 6522: for people, for machines, and the original's headers."""
    original, _, _ = mail.content.partition(b"\r\n\r\n")
    parts = [
        ("text/plain; charset=utf-8", notice.encode("utf-8", "surrogateescape")),
        machine,
        ("text/rfc822-headers", original + b"\r\n"),
    ]
    mark = b"--" + _boundary(mail).encode()
    body = b"".join(
        mark + b"\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + data + b"\r\n"
        for kind, data in parts
    )
    return _fields(head) + b"\r\n" + body + mark + b"--\r\n"


def _boundary(mail: Returned) -> str:
    return f"=_sandbox_{mail.queue_id}"


def _fields(pairs: list[tuple[str, str]]) -> bytes:
    lines = (f"{name}: {value}\r\n" for name, value in pairs)
    return "".join(lines).encode("utf-8", "surrogateescape")


def _smtp_code(status: str) -> str:
    return "450" if status.startswith("4") else "550"
