"""The providers of all applications on one channel, opened and replaced as settings change."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from libs.away import is_away
from libs.bus.connection import pause
from libs.chassis.logging import get_logger
from services.messaging.domain.channels import EmailChannel, SmsChannel
from services.messaging.domain.limits import Limit
from services.messaging.domain.outbound import Adapter
from services.messaging.domain.push_channels import PushChannel
from services.messaging.domain.voice_channel import VoiceChannel
from services.messaging.domain.webhooks import CustomChannel
from services.messaging.usecases.composition import Sign

LOOK_SECONDS: Final = 1.0


class KeptAdapter(Adapter, Protocol):
    """An adapter whose link is kept by `run` until that is cancelled."""

    async def run(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Provider:
    """An application's way out: its settings, adapter, own limits and signature."""

    version: int
    channel: EmailChannel | SmsChannel | PushChannel | VoiceChannel | CustomChannel
    adapter: KeptAdapter
    limits: tuple[Limit, ...] = ()
    sign: Sign | None = None


Enabled = Callable[[str], Awaitable[Mapping[str, int]]]
"""Versions of enabled channels by application; of one application when named, else of all."""
Open = Callable[[str, int], Awaitable[Provider | None]]
"""Makes the provider of an application's channel at a version; None when it cannot send."""


class ProviderSource(Protocol):
    """Where a worker finds the way out of each application."""

    async def of(self, app_id: str) -> Provider | None: ...

    async def run(self) -> None: ...


class Providers:
    """Providers by application."""

    def __init__(self, enabled: Enabled, open_provider: Open) -> None:
        self._enabled = enabled
        self._open = open_provider
        self._kept: dict[str, Provider] = {}
        # Applications that send over one account share an adapter, and so its link.
        self._links: dict[KeptAdapter, asyncio.Task[None]] = {}
        self._opening = asyncio.Lock()
        self._group: asyncio.TaskGroup | None = None
        self._started = asyncio.Event()

    async def of(self, app_id: str) -> Provider | None:
        """The provider of an application; None when its channel is off or not set up."""
        if app_id not in self._kept:
            await self._started.wait()
            await self._look(app_id)
        return self._kept.get(app_id)

    async def run(self) -> None:
        """Keep links to the providers of every enabled channel until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._started.set()
            attempt = 0
            while True:
                try:
                    await self._look("")
                    attempt = 0
                except Exception as error:
                    if not is_away(error):
                        raise
                    attempt += 1
                    await pause(min(attempt, 5))
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, app_id: str) -> None:
        async with self._opening:
            enabled = await self._enabled(app_id)
            for known in [app_id] if app_id else [*self._kept]:
                if known not in enabled:
                    self._kept.pop(known, None)
            for wanted, version in enabled.items():
                kept = self._kept.get(wanted)
                if kept is None or kept.version != version:
                    await self._replace(wanted, version)
            self._end_unused()

    async def _replace(self, app_id: str, version: int) -> None:
        # The new one first: where both use one link, that stays up.
        provider = await self._open(app_id, version)
        if provider is None or self._group is None:
            self._kept.pop(app_id, None)
            return
        self._kept[app_id] = provider
        if provider.adapter not in self._links:
            self._links[provider.adapter] = self._group.create_task(_kept(provider.adapter))

    def _end_unused(self) -> None:
        used = {provider.adapter for provider in self._kept.values()}
        for adapter in [one for one in self._links if one not in used]:
            self._links.pop(adapter).cancel()


async def _kept(adapter: KeptAdapter) -> None:
    attempt = 0
    while True:
        try:
            await adapter.run()
        except Exception:
            # One provider's fault must not end the links of the others.
            get_logger().exception("provider_link_failed")
        else:
            return
        attempt += 1
        await pause(min(attempt, 5))
