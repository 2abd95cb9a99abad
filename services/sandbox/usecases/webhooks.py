"""A receiver of webhooks: decides by the script, keeps what it took, takes a message once."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.sandbox.domain.behaviours import CUSTOM
from services.sandbox.domain.log import Arrivals, MessageLog, Record
from services.sandbox.usecases.script import Script

Headers = tuple[tuple[str, str], ...]
_STATUS: Final = {"defer": 503, "down": 503, "throttle": 429}
REPEAT: Final = "repeat"


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the application that the URL is of, the receiver's name, what came."""

    app_id: str
    name: str
    endpoint_ids: Sequence[str]
    message_ids: Sequence[str]
    body: bytes
    headers: Headers


class WebhookHost:
    """Receivers by name. The script's `to` is the name; the log's `to` is the endpoint's id."""

    def __init__(self, script: Script, records: MessageLog) -> None:
        self.arrivals = Arrivals()
        self._script = script
        self._records = records
        self._taken: set[str] = set()

    def owner(self, app_id: str, name: str) -> tuple[int, str]:
        """The status of an answer to HEAD, and the application that it names."""
        kind = self._script.behaviour(CUSTOM, name).outcome.kind
        return _STATUS["down"] if kind == "down" else 200, "" if kind == "stranger" else app_id

    async def take(self, call: Call) -> tuple[int, bytes]:
        """Take one request, or refuse it; returns status and body of the answer."""
        behaviour = self._script.behaviour(CUSTOM, call.name)
        outcome, kind = behaviour.outcome, behaviour.outcome.kind
        if kind == "reject":
            return self._refuse(call, kind, outcome.code)
        if kind == "throttle" and not self._script.admits(behaviour, time.monotonic_ns()):
            return self._refuse(call, kind, _STATUS[kind])
        if kind == "defer" and not self._script.is_deferred(behaviour, call.name):
            kind = "deliver"
        if kind in {"defer", "down"}:
            return self._refuse(call, kind, _STATUS[kind])
        self._keep(call, kind)
        if kind == "slow":
            await asyncio.sleep(outcome.delay_ms / 1000)
        return 200, answer_of(outcome.text, call.endpoint_ids)

    def forget(self) -> None:
        """Forget what was taken."""
        self.arrivals.clear()
        self._taken.clear()

    def _refuse(self, call: Call, kind: str, status: int) -> tuple[int, bytes]:
        for _ in call.endpoint_ids:
            self._arrive(call, kind)
        return status, b""

    def _keep(self, call: Call, kind: str) -> None:
        for endpoint_id, message_id in zip(call.endpoint_ids, call.message_ids, strict=True):
            if message_id in self._taken:
                self._arrive(call, REPEAT)
                continue
            self._taken.add(message_id)
            self._arrive(call, "accepted")
            self._records.append(
                Record(
                    CUSTOM, endpoint_id, call.app_id, message_id, time.time_ns() // 1_000_000,
                    call.body, kind, headers=call.headers,
                )
            )  # fmt: skip

    def _arrive(self, call: Call, verdict: str) -> None:
        self.arrivals.add(time.time_ns(), time.monotonic_ns(), call.app_id, "", verdict)


def answer_of(text: str, endpoint_ids: Sequence[str]) -> bytes:
    """The answer that the script asks for: a JSON object is the attributes of every endpoint,
    anything else is said as it is.
    """
    try:
        attributes = json.loads(text) if text else None
    except ValueError:
        return text.encode()
    if attributes is None:
        return b"{}"
    return json.dumps({one: {"EventAttributes": attributes} for one in endpoint_ids}).encode()
