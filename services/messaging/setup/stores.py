"""The stores of the gateway, all over one database."""

from dataclasses import dataclass

from libs.mongo.client import Database
from libs.vault import Vault
from services.messaging.store.batches import BatchStore
from services.messaging.store.certificates import CertificateStore
from services.messaging.store.channels import ChannelStore
from services.messaging.store.complaints import ComplaintStore
from services.messaging.store.contents import ContentStore
from services.messaging.store.dispatches import DispatchStore
from services.messaging.store.holds import HoldStore
from services.messaging.store.lanes import LaneStore
from services.messaging.store.ledger import LedgerStore
from services.messaging.store.limits import LimitStore
from services.messaging.store.otp import OtpStore
from services.messaging.store.requests import RequestStore
from services.messaging.store.suppressions import SuppressionStore
from services.messaging.store.waiting import WaitingStore
from services.messaging.store.webhook_secrets import WebhookSecretStore


@dataclass(frozen=True, slots=True)
class GatewayStores:
    """What the gateway keeps."""

    ledger: LedgerStore
    batches: BatchStore
    waiting: WaitingStore
    lanes: LaneStore
    dispatches: DispatchStore
    contents: ContentStore
    requests: RequestStore
    suppressions: SuppressionStore
    complaints: ComplaintStore
    holds: HoldStore
    limits: LimitStore
    otp: OtpStore
    channels: ChannelStore
    secrets: WebhookSecretStore
    certificates: CertificateStore


def stores_of(database: Database, vault: Vault) -> GatewayStores:
    """All of them; `vault` opens the secrets of channels and webhooks."""
    return GatewayStores(
        LedgerStore(database),
        BatchStore(database),
        WaitingStore(database),
        LaneStore(database),
        DispatchStore(database),
        ContentStore(database),
        RequestStore(database),
        SuppressionStore(database),
        ComplaintStore(database),
        HoldStore(database),
        LimitStore(database),
        OtpStore(database),
        ChannelStore(database, vault),
        WebhookSecretStore(database, vault),
        CertificateStore(database),
    )
