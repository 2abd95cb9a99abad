"""Push services: what becomes of a notification, whichever protocol it came by."""

import asyncio
import itertools
import time
from typing import Final

from services.sandbox.domain.behaviours import PUSH
from services.sandbox.domain.log import Arrivals, MessageLog, Record
from services.sandbox.domain.push import ACCEPTED, Verdict
from services.sandbox.usecases.script import Script

_REFUSED: Final = frozenset({"dead", "reject", "down"})


class PushHost:
    """Decides by the script and keeps what it took; `service` is APNS, GCM, ADM or BAIDU."""

    def __init__(self, script: Script, records: MessageLog) -> None:
        self.arrivals = Arrivals()
        self._script = script
        self._records = records
        self._ids = map("push-{}".format, itertools.count(1))

    async def take(self, service: str, token: str, payload: bytes, message_id: str = "") -> Verdict:
        """Take one notification to a device, or refuse it."""
        behaviour = self._script.behaviour(PUSH, token)
        outcome, steady = behaviour.outcome, time.monotonic_ns()
        kind = outcome.kind if outcome.kind in _REFUSED else ACCEPTED
        if outcome.kind == "defer" and self._script.is_deferred(behaviour, token):
            kind = "defer"
        if outcome.kind == "throttle" and not self._script.admits(behaviour, steady):
            kind = "throttle"
        self.arrivals.add(time.time_ns(), steady, service, "", kind)
        if kind != ACCEPTED:
            return Verdict(kind)
        verdict = Verdict(
            ACCEPTED,
            message_id or next(self._ids),
            outcome.text if outcome.kind == "moved" else "",
        )
        self._records.append(
            Record(
                PUSH, token, service, verdict.message_id, time.time_ns() // 1_000_000, payload,
                outcome.kind,
            )
        )  # fmt: skip
        if outcome.kind == "slow":
            await asyncio.sleep(outcome.delay_ms / 1000)
        return verdict
