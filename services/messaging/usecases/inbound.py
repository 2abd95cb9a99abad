"""Inbound texts: keywords take effect before they are acknowledged, and are answered (spec 7.5)."""

from datetime import datetime, timedelta
from typing import Final

from libs.chassis.logging import get_logger
from libs.clock import Clock
from services.messaging.clients.events import EventPublisher
from services.messaging.clients.outbox import Cuts, Frame, content_id
from services.messaging.clients.replies import reply_content, reply_recipient
from services.messaging.domain.accounts import Sender
from services.messaging.domain.happenings import Happening, country_of
from services.messaging.domain.keywords import Keyword, keyword_of, reply_dispatch, reply_to
from services.messaging.domain.ledger import Origin
from services.messaging.domain.outbound import InboundSms
from services.messaging.domain.outcomes import SMS, TRANSACTIONAL
from services.messaging.store.contents import ContentStore
from services.messaging.store.suppressions import STOP_KEYWORD, Suppression, SuppressionStore
from services.messaging.usecases.addressees import Addressees
from services.messaging.usecases.submission import Submission

REPLY_LIFETIME: Final = timedelta(hours=1)
CONTENT_KEPT: Final = timedelta(days=2)
_NO_TREATMENT: Final = "0"


class InboundTexts:
    """Hears texts. When `hear` returns, what the text asked for is in force."""

    def __init__(
        self,
        suppressions: SuppressionStore,
        contents: ContentStore,
        submission: Submission,
        events: EventPublisher,
        addressees: Addressees,
        clock: Clock,
    ) -> None:
        self._suppressions = suppressions
        self._contents = contents
        self._submission = submission
        self._events = events
        self._addressees = addressees
        self._clock = clock

    async def hear(self, inbound: InboundSms) -> None:
        """Act on a text. Raises when it must come again."""
        now = self._clock.now()
        keyword = keyword_of(inbound.text)
        if keyword is Keyword.STOP:
            entry = Suppression(SMS, inbound.sender, STOP_KEYWORD)
            await self._suppressions.suppress([entry])
        elif keyword is Keyword.START:
            await self._suppressions.restart(SMS, inbound.sender)
        meant = await self._addressees.of(inbound)
        if meant is None:
            get_logger().warning("inbound_text_of_nobody", to=inbound.to)
            return
        if keyword is not None:
            await self._reply(meant, keyword, inbound, now)
        await self._tell(meant.app_id, keyword, inbound, now)

    async def _reply(
        self, meant: Sender, keyword: Keyword, inbound: InboundSms, now: datetime
    ) -> None:
        app_id, replies = meant.app_id, meant.channel.replies
        custom = {
            Keyword.STOP: replies.stop,
            Keyword.HELP: replies.help,
            Keyword.START: replies.start,
        }
        body = reply_content(reply_to(keyword, custom), inbound.to)
        key = content_id(app_id, body)
        await self._contents.keep(app_id, {key: body}, now + CONTENT_KEPT)
        frame = Frame(
            reply_dispatch(inbound.inbound_id),
            Origin(app_id, request_id=inbound.inbound_id),
            SMS,
            TRANSACTIONAL,
            key,
            _NO_TREATMENT,
            now + REPLY_LIFETIME,
            trace_id=inbound.inbound_id,
        )
        cuts = Cuts()
        cuts.add(frame, [reply_recipient(inbound.sender)], now)
        await self._submission.submit(cuts, (), now)

    async def _tell(
        self, app_id: str, keyword: Keyword | None, inbound: InboundSms, now: datetime
    ) -> None:
        attributes = {
            "origination_phone_number": inbound.sender,
            "destination_phone_number": inbound.to,
            "message_id": inbound.inbound_id,
            "message_keyword": keyword.value if keyword else "",
            "message_body": inbound.text,
            "iso_country_code": country_of(inbound.sender),
        }
        names = ["_SMS.RECEIVED"] + ["_SMS.OPTOUT"] * (keyword is Keyword.STOP)
        await self._events.tell(
            app_id,
            {},
            [
                Happening(name, inbound.inbound_id, inbound.sender, now, attributes=attributes)
                for name in names
            ],
        )
