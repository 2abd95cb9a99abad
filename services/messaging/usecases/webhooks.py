"""The way out to webhooks: one for all applications, each with secrets of its own."""

import asyncio
from collections import OrderedDict
from typing import Final

from libs.chassis.logging import get_logger
from libs.clock import Clock
from libs.vault import SecretUnreadable
from services.messaging.domain.webhooks import CustomChannel, key_of
from services.messaging.store.webhook_secrets import WebhookSecretStore
from services.messaging.usecases.providers import KeptAdapter, Provider

FRESH_SECONDS: Final = 10.0
"""How long secrets are kept: this late a worker hears of a new one."""
_MOST_KEPT: Final = 1000


class WebhookProviders:
    """Providers by application. The custom channel needs no settings and is never off."""

    def __init__(self, secrets: WebhookSecretStore, adapter: KeptAdapter, clock: Clock) -> None:
        self._secrets = secrets
        self._adapter = adapter
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Provider]] = OrderedDict()

    async def of(self, app_id: str) -> Provider | None:
        """The provider of an application; None when its secrets cannot be read."""
        now = asyncio.get_running_loop().time()
        until, provider = self._kept.get(app_id, (0.0, None))
        if provider is None or now >= until:
            provider = await self._open(app_id)
            if provider is None:
                return None
            self._kept[app_id] = (now + FRESH_SECONDS, provider)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return provider

    async def run(self) -> None:
        """Keep the connections until cancelled."""
        await self._adapter.run()

    async def _open(self, app_id: str) -> Provider | None:
        try:
            found = await self._secrets.in_force(app_id, self._clock.now())
        except SecretUnreadable as error:
            cause = type(error).__name__
            get_logger().error("channel_unusable", application_id=app_id, cause=cause)
            return None
        keys = tuple(key_of(one.text) for one in found)
        return Provider(0, CustomChannel(keys), self._adapter)
