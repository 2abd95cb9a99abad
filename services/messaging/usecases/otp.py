"""Sending and checking one-time passwords.

The code is a value of the message's recipient, not of its content: contents are kept for weeks,
while the batch that holds recipients goes about a minute after its outcome. What still waits is
closed when the code dies. Only a batch whose outcome nobody knows (UNKNOWN) stays until somebody
resolves it, and a queue message that no worker could handle stays among the dead letters: these
may outlive their codes, which are of no use then.
"""

from touchpoint.messaging.v1 import message_pb2

from libs.clock import Clock
from libs.ids import derived_id, new_id
from services.messaging.clients.outbox import Recipient
from services.messaging.domain.direct import DeliveryStatus, Result, Target
from services.messaging.domain.otp import CODE, OtpHasher, OtpOrder, otp_key
from services.messaging.domain.outcomes import TRANSACTIONAL
from services.messaging.domain.recipients import SMS
from services.messaging.domain.senders import is_sender_id
from services.messaging.store.otp import OtpStore
from services.messaging.usecases.direct import Content, DirectCall, DirectSender


class OneTimePasswords:
    """Makes, sends and checks codes."""

    def __init__(
        self, store: OtpStore, sender: DirectSender, hasher: OtpHasher, clock: Clock
    ) -> None:
        self._store = store
        self._sender = sender
        self._hasher = hasher
        self._clock = clock

    async def send(self, app_id: str, order: OtpOrder) -> tuple[str, Result]:
        """Send a code by text; returns the id of the call and what became of it."""
        code, request_id = order.new_code(), new_id()
        kept = self._hasher.keep(app_id, order, code, self._clock.now())
        # Before the text leaves: some answer faster than a write.
        await self._store.put(kept)
        result = None
        try:
            result = await self._sent(app_id, request_id, order, code)
        finally:
            if result is None or result.status is not DeliveryStatus.SUCCESSFUL:
                await self._store.use_up(kept)
        return request_id, result

    async def verify(self, app_id: str, destination: str, reference_id: str, code: str) -> bool:
        """Whether it is the code, in time and for the first time."""
        key = otp_key(app_id, destination, reference_id)
        kept = await self._store.attempt(key, self._clock.now())
        if kept is None or not self._hasher.matches(kept, code):
            return False
        return await self._store.use_up(kept)

    async def _sent(self, app_id: str, request_id: str, order: OtpOrder, code: str) -> Result:
        call = DirectCall(
            app_id,
            request_id,
            derived_id(app_id, "direct", request_id),
            {SMS: _content(order)},
            {},
            {},
            {},
            "",
            validate_only=False,
            lifetime=order.validity,
        )
        target = Target("destination_identity", SMS, order.destination)
        recipient = Recipient(address=order.destination, substitutions={CODE: code})
        [result] = await self._sender.send(call, [target], [recipient])
        return result


def _content(order: OtpOrder) -> Content:
    said = message_pb2.MessageContent(sms=message_pb2.SmsContent(body=order.text()))
    if is_sender_id(order.origination):
        said.sms.sender_id = order.origination
    else:
        said.sms.origination_number = order.origination
    said.sms.entity_id, said.sms.template_id = order.entity_id, order.template_id
    return Content(said.SerializeToString(deterministic=True), TRANSACTIONAL, order.text())
