"""What passes between the wires and the decisions: mails, parts, answers, receipts, replies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

OK: Final = "ESME_ROK"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An SMTP reply other than 250; `hangs_up` when the connection ends after it."""

    reply: str
    hangs_up: bool = False


@dataclass(frozen=True, slots=True)
class Envelope:
    """One accepted transaction: who sent what to whom, and when its data was read."""

    mail_from: str
    recipients: list[str]
    content: bytes
    received_ns: int


@dataclass(frozen=True, slots=True)
class Submission:
    """One submitted part as it was read from the wire; times in nanoseconds of each clock.

    `decode` turns the joined user data of all parts into text.
    """

    sender: str
    to: str
    data: bytes
    encoding: str
    decode: Callable[[bytes], str]
    reference: int
    total: int
    number: int
    wants_receipt: bool
    wants_failure_receipt: bool
    wall_ns: int
    steady_ns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """How a part is answered: a status of the standard, after a delay, or not at all."""

    status: str = OK
    message_id: str = ""
    delay_ms: int = 0
    is_silent: bool = False
    drops_link: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery receipt to be sent back; `text` is the start of the message."""

    sender: str
    to: str
    message_id: str
    state: str
    error: str
    submitted_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message of a person to a number of ours."""

    sender: str
    to: str
    text: str
