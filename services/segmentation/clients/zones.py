"""Applications: the time zone whose midnight begins `today`."""

import time
from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from grpc import aio
from touchpoint.applications.v1 import applications_service_pb2 as pb
from touchpoint.applications.v1 import applications_service_pb2_grpc as rpc

KEPT_SECONDS: Final = 30.0


class ZonesClient:
    """Calls ApplicationsService; remembers an answer for half a minute.

    Without a channel (no applications service in this installation) every zone is UTC.
    """

    def __init__(
        self, channel: aio.Channel | None, seconds: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._stub = rpc.ApplicationsServiceStub(channel) if channel else None
        self._known: dict[str, tuple[float, tzinfo]] = {}

    async def zone(self, app_id: str) -> tzinfo:
        """The application's zone; UTC when it has none of its own."""
        if self._stub is None:
            return UTC
        if known := self._known.get(app_id):
            read, zone = known
            if self._seconds() - read < KEPT_SECONDS:
                return zone
        request = pb.GetApplicationSettingsRequest(application_id=app_id)
        settings = (await self._stub.GetApplicationSettings(request)).settings
        zone = ZoneInfo(settings.timezone) if settings.timezone else UTC
        self._known[app_id] = (self._seconds(), zone)
        return zone
