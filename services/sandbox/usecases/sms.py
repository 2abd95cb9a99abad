"""A message centre: what it answers to a part, keeps, and sends back later."""

import itertools
import secrets
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol

from services.sandbox.domain.assembly import Assembly, Part, PartKey
from services.sandbox.domain.behaviours import SMS, Action, Behaviour, Outcome, fraction
from services.sandbox.domain.carriers import Carrier
from services.sandbox.domain.log import Arrivals, MessageLog, Record
from services.sandbox.domain.traffic import Answer, Inbound, Report, Submission
from services.sandbox.usecases.later import Later
from services.sandbox.usecases.script import Script

ACCEPTED: Final = "accepted"
THROTTLED: Final = "ESME_RTHROTTLED"
OUT_OF_SERVICE: Final = "ESME_RSYSERR"


class Exit(Protocol):
    """The way back to the application that is bound to the centre."""

    def report(self, report: Report) -> None:
        """Send a delivery receipt, now or when the application binds again."""
        ...

    def deliver(self, inbound: Inbound) -> int:
        """Send a person's message; returns its number of parts."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """A part the centre accepted, and what becomes of it."""

    part: Submission
    message_id: str
    carrier: Carrier
    behaviour: Behaviour
    outcome: Outcome

    @property
    def is_good(self) -> bool:
        """True when the message reaches its phone, as far as the receipt will say."""
        return self.outcome.state in {"DELIVRD", "ACCEPTD", "ENROUTE"}


@dataclass(slots=True)
class SmsCentre:
    """Decides by the script; `way_back` is set by the server that owns the links."""

    script: Script
    records: MessageLog
    later: Later
    arrivals: Arrivals = field(default_factory=Arrivals)
    assembly: Assembly = field(default_factory=Assembly)
    _ids: "map[str]" = field(
        default_factory=lambda: map(
            "{}{:08x}".format, itertools.repeat(secrets.token_hex(4)), itertools.count(1)
        )
    )

    @property
    def is_down(self) -> bool:
        """True while the whole centre is out of service: it refuses binds."""
        return self.script.is_down(SMS)

    def forget(self) -> None:
        """Drop what is planned, and the parts of unfinished messages."""
        self.later.forget()
        self.assembly = Assembly()

    def submit(self, part: Submission, way_back: Exit) -> Answer:
        """Answer a part, and plan its receipt and, with the last part, the recipient's actions."""
        carrier = self.script.carrier(part.to)
        behaviour = self.script.behaviour(SMS, part.to, carrier.name)
        refusal = _out_of_service(carrier, behaviour.outcome)
        outcome = behaviour.outcome
        if refusal is None:
            outcome = self._throttled(carrier, behaviour, part.steady_ns)
            refusal = _refusal(outcome)
        verdict = ACCEPTED if refusal is None else refusal.status or "dropped"
        self.arrivals.add(part.wall_ns, part.steady_ns, part.sender, carrier.name, verdict)
        if refusal is not None:
            return refusal
        taken = Taken(part, next(self._ids), carrier, behaviour, outcome)
        self._keep(taken, way_back)
        self._plan_receipt(taken, way_back)
        return Answer(
            message_id=taken.message_id,
            delay_ms=max(outcome.delay_ms, carrier.delay_ms),
            is_silent=outcome.kind == "lost",
        )

    def _throttled(self, carrier: Carrier, behaviour: Behaviour, now_ns: int) -> Outcome:
        """Return the outcome after the limits: a refusal, or a receipt that says REJECTD."""
        outcome = behaviour.outcome
        if outcome.kind == "throttle":
            if not self.script.admits(behaviour, now_ns):
                return _above(outcome.over, outcome)
            outcome = Outcome(
                "deliver",
                state=outcome.state,
                after_ms=outcome.after_ms,
                error=outcome.error,
                copies=outcome.copies,
                shuffle_ms=outcome.shuffle_ms,
            )
        if not carrier.admits(now_ns):
            return _above(carrier.over, outcome)
        return outcome

    def _keep(self, taken: Taken, way_back: Exit) -> None:
        part = taken.part
        key = PartKey(part.sender, part.to, part.reference, part.total)
        parts = self.assembly.add(key, Part(part.number, part.data, taken.message_id))
        if parts is None:
            return
        self.records.append(_record(taken, parts))
        if taken.is_good and taken.behaviour.actions:
            for action in taken.behaviour.actions_of(part.to):
                self._plan_reply(action, part, way_back)

    def _plan_reply(self, action: Action, part: Submission, way_back: Exit) -> None:
        inbound = Inbound(part.to, part.sender, action.text)
        self.later.call(action.after_ms, partial(_deliver, way_back, inbound))

    def _plan_receipt(self, taken: Taken, way_back: Exit) -> None:
        part, outcome = taken.part, taken.outcome
        if not (part.wants_receipt or (part.wants_failure_receipt and not taken.is_good)):
            return
        report = Report(
            part.sender, part.to, taken.message_id, outcome.state, outcome.error,
            part.wall_ns, part.decode(part.data[:40])[:20],
        )  # fmt: skip
        for copy in range(outcome.copies):
            spread = fraction(f"receipt.{copy}", taken.message_id) * outcome.shuffle_ms
            self.later.call(outcome.after_ms + spread, partial(way_back.report, report))


def _record(taken: Taken, parts: list[Part]) -> Record:
    part = taken.part
    text = part.decode(b"".join(one.data for one in parts))
    return Record(
        channel=SMS,
        to=part.to,
        sender=part.sender,
        message_id=parts[0].message_id,
        received_ms=part.wall_ns // 1_000_000,
        content=text.encode("utf-8", "surrogatepass"),
        outcome=taken.behaviour.outcome.kind,
        state=taken.outcome.state,
        parts=len(parts),
        encoding=part.encoding,
        carrier=taken.carrier.name,
        part_ids=tuple(one.message_id for one in parts) if len(parts) > 1 else (),
    )


def _deliver(way_back: Exit, inbound: Inbound) -> None:
    way_back.deliver(inbound)


def _out_of_service(carrier: Carrier, outcome: Outcome) -> Answer | None:
    mode = outcome.mode if outcome.kind == "down" else carrier.state
    if mode == "drop":
        return Answer(status="", drops_link=True)
    return Answer(OUT_OF_SERVICE) if mode == "refuse" else None


def _refusal(outcome: Outcome) -> Answer | None:
    return Answer(outcome.status) if outcome.kind == "reject" else None


def _above(over: str, outcome: Outcome) -> Outcome:
    if over == "reject":
        return Outcome("reject", status=THROTTLED)
    # 64 is "no resource available" among the error codes carriers put into receipts.
    return Outcome("deliver", state="REJECTD", error="064", after_ms=outcome.after_ms)
