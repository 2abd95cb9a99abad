"""Callbacks of providers in the gateway: who may call, and whom it tells."""

from collections.abc import Mapping

from libs.clock import SystemClock
from libs.mongo.client import Database
from libs.vault import Vault
from services.messaging.adapters.amazon_sns import AmazonSns
from services.messaging.adapters.twilio_callbacks import twilio_reports
from services.messaging.clients.events import EventPublisher
from services.messaging.config import Settings
from services.messaging.domain.callbacks import AMAZON_SNS, TWILIO
from services.messaging.setup.provider import own_account
from services.messaging.store.channels import ChannelStore
from services.messaging.store.complaints import ComplaintStore
from services.messaging.store.contents import ContentStore
from services.messaging.store.ledger import LedgerStore
from services.messaging.store.suppressions import SuppressionStore
from services.messaging.usecases.addressees import Addressees
from services.messaging.usecases.callbacks import Callbacks, Read
from services.messaging.usecases.inbound import InboundTexts
from services.messaging.usecases.receipts import Receipts
from services.messaging.usecases.submission import Submission


def _sources(settings: Settings) -> Mapping[str, Read]:
    return {TWILIO: twilio_reports, AMAZON_SNS: AmazonSns(settings.sns_url).reports}


def callbacks_of(
    settings: Settings, database: Database, submission: Submission, events: EventPublisher
) -> Callbacks:
    """What takes the callbacks of all sources."""
    clock, ledger = SystemClock(), LedgerStore(database)
    suppressions, contents = SuppressionStore(database), ContentStore(database)
    channels = ChannelStore(database, Vault(settings.master_key.get_secret_value()))
    receipts = Receipts(ledger, suppressions, ComplaintStore(database), events, clock)
    addressees = Addressees(channels, ledger, own_account(settings))
    inbound = InboundTexts(suppressions, contents, submission, events, addressees, clock)
    return Callbacks(_sources(settings), channels, receipts, inbound)
