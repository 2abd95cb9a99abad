"""A mail host: what it says to a recipient's address, keeps, and does with a mail later."""

import itertools
import secrets
from datetime import UTC, datetime
from functools import partial
from typing import Final, Protocol

from services.sandbox.domain.behaviours import EMAIL, Action, Behaviour
from services.sandbox.domain.feedback import Returned, bounce, complaint
from services.sandbox.domain.log import Arrivals, MessageLog, Record
from services.sandbox.domain.mail import read_mail
from services.sandbox.domain.traffic import Envelope, Refusal
from services.sandbox.usecases.later import Later
from services.sandbox.usecases.script import Script

ACCEPTED: Final = "accepted"


class Browser(Protocol):
    """Fetches what a recipient's mail program and browser would fetch."""

    async def get(self, url: str) -> None:
        """Follow a link with all its redirects."""
        ...

    async def unsubscribe(self, url: str) -> None:
        """Post an RFC 8058 one-click unsubscribe."""
        ...


class Postman(Protocol):
    """Carries reports to the sender's mail host."""

    async def send(self, to: str, content: bytes) -> None:
        """Hand over a mail with the null return path."""
        ...


class MailHost:
    """Decides by the script; state is in the log and in what is due later."""

    def __init__(
        self,
        script: Script,
        records: MessageLog,
        later: Later,
        browser: Browser,
        postman: Postman | None,
    ) -> None:
        self.arrivals = Arrivals()
        self._script = script
        self._records = records
        self._later = later
        self._browser = browser
        self._postman = postman
        self._queue_ids = map(
            "{}{:08X}".format, itertools.repeat(secrets.token_hex(3).upper()), itertools.count(1)
        )

    @property
    def is_down(self) -> bool:
        """True while the whole host is out of service."""
        return self._script.is_down(EMAIL)

    def refusal_of(self, sender: str, to: str, wall_ns: int, steady_ns: int) -> Refusal | None:
        """Say how RCPT is refused, or None where the mail may come."""
        behaviour = self._script.behaviour(EMAIL, to)
        outcome = behaviour.outcome
        refusal = None
        if outcome.kind == "reject":
            refusal = Refusal(f"{outcome.code} {outcome.text}")
        elif outcome.kind == "down":
            refusal = Refusal("421 4.3.2 Service not available, closing channel", hangs_up=True)
        elif outcome.kind == "defer" and self._script.is_deferred(behaviour, to):
            refusal = Refusal(f"{outcome.code} {outcome.text}")
        elif outcome.kind == "throttle" and not self._script.admits(behaviour, steady_ns):
            refusal = Refusal(f"451 {outcome.text}")
        verdict = outcome.kind if refusal else ACCEPTED
        self.arrivals.add(wall_ns, steady_ns, sender, "", verdict)
        return refusal

    def delay_ms(self, recipients: list[str]) -> int:
        """Return how long the host takes over a mail: its slowest recipient decides."""
        return max(
            (self._script.behaviour(EMAIL, to).outcome.delay_ms for to in recipients), default=0
        )

    def accept(self, envelope: Envelope) -> str:
        """Keep a mail for each recipient, plan what they do with it; returns the queue id."""
        queue_id = next(self._queue_ids)
        for to in envelope.recipients:
            behaviour = self._script.behaviour(EMAIL, to)
            self._records.append(
                Record(
                    channel=EMAIL,
                    to=to,
                    sender=envelope.mail_from,
                    message_id=queue_id,
                    received_ms=envelope.received_ns // 1_000_000,
                    content=envelope.content,
                    outcome=behaviour.outcome.kind,
                )
            )
            self._plan(behaviour, envelope, to, queue_id)
        return queue_id

    def _plan(self, behaviour: Behaviour, envelope: Envelope, to: str, queue_id: str) -> None:
        if behaviour.index < 0:
            return
        kind = behaviour.outcome.kind
        if kind in {"bounce", "complain"}:
            mail = Returned(
                envelope.mail_from,
                to,
                queue_id,
                envelope.content,
                datetime.fromtimestamp(envelope.received_ns / 1e9, UTC),
            )
            job = partial(self._report, behaviour, mail)
            self._later.start(behaviour.outcome.after_ms, job)
        if kind == "bounce":
            # A mail that came back was never seen by anyone.
            return
        for action in behaviour.actions_of(to):
            self._later.start(action.after_ms, partial(self._act, action, envelope.content))

    async def _report(self, behaviour: Behaviour, mail: Returned) -> None:
        """RFC 3464 section 2: a mail with the null return path gets no report."""
        if self._postman is None or not mail.mail_from:
            return
        outcome, now = behaviour.outcome, datetime.now(UTC)
        if outcome.kind == "bounce":
            content = bounce(mail, outcome.status, outcome.text, now)
        else:
            content = complaint(mail, now)
        await self._postman.send(mail.mail_from, content)

    async def _act(self, action: Action, content: bytes) -> None:
        mail = read_mail(content)
        if action.kind == "open" and mail.pixel:
            await self._browser.get(mail.pixel)
        elif action.kind == "click" and len(mail.links) >= action.link:
            await self._browser.get(mail.links[action.link - 1])
        elif action.kind == "unsubscribe" and mail.one_click_url:
            await self._browser.unsubscribe(mail.one_click_url)
