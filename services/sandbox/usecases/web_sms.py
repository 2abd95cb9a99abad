"""What comes over HTTP, texts, calls and mails: by the script of its channel."""

import asyncio
import itertools
import secrets
import time
from dataclasses import dataclass
from typing import Final

from libs.smpp.gsm import count_parts
from services.sandbox.domain.behaviours import EMAIL, SMS, VOICE, Outcome
from services.sandbox.domain.log import Arrivals, MessageLog, Record
from services.sandbox.usecases.script import Script

_KINDS: Final = {SMS: "SM", VOICE: "CA", EMAIL: "ses-"}
"""What ids begin with."""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What becomes of a text: its id, or the kind of the behaviour that refused it.

    `outcome` is what the script says of one that was taken.
    """

    sid: str = ""
    refused: str = ""
    outcome: Outcome | None = None


class WebSms:
    """Decides by the script and keeps what it took."""

    def __init__(self, script: Script, records: MessageLog) -> None:
        self.arrivals = Arrivals()
        self._script = script
        self._records = records
        self._ids = map(
            "{}{:08x}".format, itertools.repeat(secrets.token_hex(12)), itertools.count(1)
        )

    async def take(self, channel: str, sender: str, to: str, content: bytes) -> WebAnswer:
        """Take one text, call or mail, or refuse it."""
        behaviour = self._script.behaviour(channel, to)
        outcome = behaviour.outcome
        if outcome.kind in {"reject", "down"}:
            return WebAnswer(refused=outcome.kind)
        if outcome.kind == "throttle" and not self._script.admits(behaviour, time.monotonic_ns()):
            return WebAnswer(refused=outcome.kind)
        self.arrivals.add(time.time_ns(), time.monotonic_ns(), sender, "", "accepted")
        sid = _KINDS[channel] + next(self._ids)
        parts = count_parts(content.decode()).parts if channel == SMS else 1
        self._records.append(
            Record(
                channel, to, sender, sid, time.time_ns() // 1_000_000, content, outcome.kind,
                parts=parts,
            )
        )  # fmt: skip
        if outcome.kind == "slow":
            await asyncio.sleep(outcome.delay_ms / 1000)
        return WebAnswer(sid, outcome=outcome)
