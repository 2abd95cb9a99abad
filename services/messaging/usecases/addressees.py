"""Whose an inbound text is, whatever link of the account it came on."""

from services.messaging.domain.accounts import OwnAccount, Sender, addressed
from services.messaging.domain.outbound import InboundSms
from services.messaging.store.channels import ChannelStore
from services.messaging.store.ledger import LedgerStore


class Addressees:
    """Finds the application that a person wrote to.

    A centre hands a text to any link of the account, so the link says nothing. The application
    whose number was written to is meant; of several with that number, the one that wrote to the
    person last; of those that never did, the one that was set up first.
    """

    def __init__(self, channels: ChannelStore, ledger: LedgerStore, own: OwnAccount) -> None:
        self._channels = channels
        self._ledger = ledger
        self._own = own

    async def of(self, inbound: InboundSms) -> Sender | None:
        """Whose the text is; None when nobody sends over the account any more."""
        senders = await self._channels.sms_senders()
        found = {
            one.app_id: one for one in addressed(senders, inbound.to, inbound.account, self._own)
        }
        if len(found) > 1:
            last = await self._ledger.last_texter(inbound.sender, list(found))
            return found.get(last) or next(iter(found.values()))
        return next(iter(found.values()), None)
