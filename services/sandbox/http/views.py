"""Log records as the JSON that checks and people read."""

from typing import Any

from services.sandbox.domain.behaviours import EMAIL, SMS
from services.sandbox.domain.log import Record
from services.sandbox.domain.mail import read_mail


def message_view(record: Record) -> dict[str, Any]:
    """Return one message with its content; a mail is parsed here, not when it arrives.

    `received_at` is epoch milliseconds. `headers` is a list of [name, value].
    """
    view: dict[str, Any] = {
        "number": record.number,
        "channel": record.channel,
        "to": record.to,
        "from": record.sender,
        "received_at": record.received_ms,
        "provider_message_id": record.message_id,
        "outcome": record.outcome,
    }
    views = {EMAIL: _mail_view, SMS: _sms_view}
    return view | views.get(record.channel, _plain_view)(record)


def _mail_view(record: Record) -> dict[str, Any]:
    mail = read_mail(record.content)
    return {
        "from": mail.sender or record.sender,
        "envelope_from": record.sender,
        "subject": mail.subject,
        "body": mail.body,
        "html": mail.html,
        "headers": mail.headers,
        "size": len(record.content),
    }


def _plain_view(record: Record) -> dict[str, Any]:
    body = record.content.decode("utf-8", "replace")
    headers = [list(one) for one in record.headers]
    return {
        "subject": "",
        "body": body,
        "html": "",
        "headers": headers,
        "size": len(record.content),
    }


def _sms_view(record: Record) -> dict[str, Any]:
    return {
        "subject": "",
        "body": record.content.decode("utf-8", "replace"),
        "html": "",
        "headers": [],
        "parts": record.parts,
        "part_ids": list(record.part_ids) or [record.message_id],
        "encoding": record.encoding,
        "carrier": record.carrier,
        "state": record.state,
    }
