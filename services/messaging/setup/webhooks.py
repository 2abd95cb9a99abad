"""The way out to webhooks, put together."""

from libs.clock import SystemClock
from libs.mongo.client import Database
from libs.vault import Vault
from services.messaging.adapters.null import NullAdapter
from services.messaging.adapters.webhook import Reach, WebhookAdapter
from services.messaging.config import Settings
from services.messaging.store.webhook_secrets import WebhookSecretStore
from services.messaging.usecases.providers import KeptAdapter
from services.messaging.usecases.webhooks import WebhookProviders


def webhook_providers(settings: Settings, database: Database) -> WebhookProviders:
    """One adapter for all applications."""
    secrets = WebhookSecretStore(database, Vault(settings.master_key.get_secret_value()))
    return WebhookProviders(secrets, _adapter(settings), SystemClock())


def _adapter(settings: Settings) -> KeptAdapter:
    if settings.null_provider:
        return NullAdapter()
    return WebhookAdapter(Reach(settings.webhook_hosts(), settings.push_ca_file))
