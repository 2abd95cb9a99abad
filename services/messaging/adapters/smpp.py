"""Texts over SMPP 3.4: a transceiver link that comes back by itself, receipts and replies on it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from libs.bus.connection import pause
from libs.chassis.logging import get_logger
from libs.smpp.client import Account, Client
from libs.smpp.codes import REGISTERED_ALWAYS, CommandStatus
from libs.smpp.pdu import DeliverSm, SubmitSm, SubmitSmResp
from libs.smpp.segments import submits
from libs.smpp.session import Limits, SessionError
from services.messaging.adapters.smpp_inbound import Assembly, inbound_of, receipt_of
from services.messaging.adapters.smpp_statuses import refused
from services.messaging.domain.accounts import account_key
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import (
    Answered,
    InboundSms,
    Outbound,
    OutboundSms,
    PartReceipt,
    Turn,
)
from services.messaging.domain.outcomes import Answer, Status

READY_SECONDS: Final = 1.0
# A part that is refused for now after others were taken is tried again here: starting the whole
# text again would send the first parts twice.
PART_ATTEMPTS: Final = 4
PART_PAUSE_SECONDS: Final = 0.5
SHORT_CODE_DIGITS: Final = 8
# India (spec 7.11): the optional parameters that carriers there agreed on.
_TAG_ENTITY: Final = 0x1400
_TAG_TEMPLATE: Final = 0x1401
_NOT_CALLED: Final = Answer(Status.NOT_CALLED)
_UNANSWERED: Final = Answer(Status.UNKNOWN_FAILURE, detail="no answer in time")
_PASSING: Final = frozenset({Status.THROTTLED, Status.TEMPORARY_FAILURE, Status.NOT_CALLED})

OnReceipt = Callable[[PartReceipt], Awaitable[bool]]
OnInbound = Callable[[InboundSms], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ears:
    """Who hears what comes in. A receipt that is not known yet is answered False: send it later."""

    on_receipt: OnReceipt
    on_inbound: OnInbound


class SmppAdapter:
    """One link to one SMS centre; `run` keeps it bound."""

    def __init__(
        self,
        account: Account,
        ears: Ears,
        limits: Limits | None = None,
        timeout_seconds: float = 20.0,
    ) -> None:
        self._account = account
        self._account_key = account_key(account.host, account.port, account.system_id)
        self._ears = ears
        self._limits = limits or Limits(window=10)
        self._timeout = timeout_seconds
        self._assembly = Assembly()
        self._client: Client | None = None
        self._bound = asyncio.Event()
        self._running = asyncio.Lock()
        self._reference = random.randrange(256)

    async def run(self) -> None:
        """Bind, and bind again with growing pauses whenever the link ends, until cancelled.

        One run at a time: the next begins when the one before has unbound.
        """
        async with self._running:
            await self._run()

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                async with Client(self._account, self._deliver, self._limits) as client:
                    self._client = client
                    self._bound.set()
                    attempt = 0
                    await client.wait_closed()
            except (OSError, SessionError, TimeoutError) as error:
                cause = str(error) if isinstance(error, SessionError) else type(error).__name__
                get_logger().warning("sms_centre_unreachable", cause=cause)
            finally:
                self._client = None
                self._bound.clear()
            attempt += 1
            await pause(min(attempt, 5))

    async def ready(self) -> bool:
        """Whether the link is bound, now or within a second."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._bound.wait()
        except TimeoutError:
            return False
        return True

    async def send(self, messages: Sequence[Outbound], turn: Turn | None = None) -> list[Answer]:
        """Submit texts side by side; their parts take turns in order."""
        texts = [self._text(m) for m in messages if isinstance(m, OutboundSms)]
        queue = _Queue(turn)
        try:
            async with asyncio.timeout(self._timeout), asyncio.TaskGroup() as group:
                for text in texts:
                    group.create_task(self._send(text, queue))
        except TimeoutError:
            get_logger().warning("sms_centre_slow")
        return [replace(text.answer(), account=self._account_key) for text in texts]

    def _text(self, message: OutboundSms) -> "_Text":
        self._reference = (self._reference + 1) % 256
        return _Text(submits(message.text, _template(message), self._reference))

    async def _send(self, text: "_Text", queue: "_Queue") -> None:
        for part in text.parts:
            text.last = await self._part(part, text, queue)
            if text.last.status is not Status.SUCCESSFUL:
                return
            text.taken += text.last.provider_ids

    async def _part(self, part: SubmitSm, text: "_Text", queue: "_Queue") -> Answer:
        for attempt in range(PART_ATTEMPTS):
            if attempt:
                await asyncio.sleep(PART_PAUSE_SECONDS * 2 ** (attempt - 1))
                part.sequence = 0
            answered = await queue.turn()
            text.last = _UNANSWERED  # what is true from here on if this task is cancelled
            text.last = await self._submit(part)
            answered()
            if not text.taken or text.last.status not in _PASSING:
                break
        return text.last

    async def _submit(self, part: SubmitSm) -> Answer:
        client = self._client
        if client is None:
            return _NOT_CALLED
        try:
            response: SubmitSmResp = await client.submit(part)
        except SessionError as error:
            # Without a number it never left; with one, nobody knows whether it arrived.
            if not part.sequence:
                return _NOT_CALLED
            return Answer(Status.UNKNOWN_FAILURE, detail=str(error))
        except ValueError as error:
            detail = str(error)
            return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=Reason.PERMANENT_FAILURE)
        if response.status == CommandStatus.ESME_ROK:
            return Answer(Status.SUCCESSFUL, (response.message_id,))
        return refused(response.status)

    async def _deliver(self, message: DeliverSm) -> CommandStatus:
        """Answered only when what was said is in force; ESME_RX_T_APPN brings it again."""
        if message.is_receipt:
            receipt = receipt_of(message)
            is_taken = receipt is None or await self._ears.on_receipt(
                replace(receipt, account=self._account_key)
            )
            return CommandStatus.ESME_ROK if is_taken else CommandStatus.ESME_RX_T_APPN
        whole = self._assembly.add(message)
        if whole is not None:
            inbound = replace(inbound_of(message, whole), account=self._account_key)
            await self._ears.on_inbound(inbound)
            self._assembly.done(message)
        return CommandStatus.ESME_ROK


def source_kind(source: str) -> tuple[int, int]:
    """Type of number and numbering plan of a sender (SMPP 3.4 sections 5.2.5, 5.2.6)."""
    digits = source.lstrip("+")
    if not digits.isdigit():
        return 5, 0  # alphanumeric
    return (3, 0) if len(digits) <= SHORT_CODE_DIGITS else (1, 1)


def _template(message: OutboundSms) -> SubmitSm:
    ton, npi = source_kind(message.source) if message.source else (0, 0)
    tlvs = {
        tag: value.encode() + b"\0"
        for tag, value in ((_TAG_ENTITY, message.entity_id), (_TAG_TEMPLATE, message.template_id))
        if value
    }
    return SubmitSm(
        source_addr=message.source,
        source_addr_ton=ton,
        source_addr_npi=npi,
        destination_addr=message.to,
        dest_addr_ton=1,
        dest_addr_npi=1,
        registered_delivery=REGISTERED_ALWAYS,
        tlvs=dict[int, bytes](tlvs),
    )


class _Queue:
    """Lets parts of several texts take turns, in the order in which they ask."""

    def __init__(self, turn: Turn | None) -> None:
        self._turn = turn
        self._order = asyncio.Lock()

    async def turn(self) -> Answered:
        if self._turn is None:
            return lambda: None
        async with self._order:
            return await self._turn()


@dataclass(slots=True)
class _Text:
    """A text on its way: its parts, the centre's ids of those taken, the last answer."""

    parts: list[SubmitSm]
    taken: tuple[str, ...] = ()
    last: Answer = _NOT_CALLED

    def answer(self) -> Answer:
        """The answer to the whole. Once a part is with the centre, the text never starts again."""
        last = self.last
        if last.status is Status.SUCCESSFUL and len(self.taken) == len(self.parts):
            return Answer(Status.SUCCESSFUL, self.taken)
        if not self.taken:
            return last
        detail = f"part {len(self.taken) + 1} of {len(self.parts)}: {last.detail or last.status}"
        if last.status in {Status.UNKNOWN_FAILURE, Status.SUCCESSFUL}:
            return Answer(Status.PERMANENT_FAILURE, self.taken, detail, Reason.UNREACHABLE)
        reason = last.reason or Reason.RETRIES_EXHAUSTED
        return Answer(Status.PERMANENT_FAILURE, self.taken, detail, reason)
