"""Tells before a certificate of an APNs channel ends: a gauge, a line in the log and an event."""

from collections.abc import Iterable
from datetime import datetime

from libs.chassis.logging import get_logger
from libs.chassis.metrics import CERTIFICATE_DAYS_LEFT
from libs.clock import Clock
from services.messaging.clients.events import EventPublisher
from services.messaging.domain.certificates import Certificate
from services.messaging.store.certificates import CertificateStore


class CertificateWatch:
    """The clock of certificates; several gateways may run it side by side and tell once."""

    def __init__(
        self, certificates: CertificateStore, events: EventPublisher, clock: Clock
    ) -> None:
        self._certificates = certificates
        self._events = events
        self._clock = clock
        self._shown: set[tuple[str, str]] = set()

    async def look(self) -> int:
        """Show what every certificate has left and tell of those due; returns how many were told.

        Raises DependencyUnavailable when the broker is away; the lease ends and it is told then.
        """
        now = self._clock.now()
        found = await self._certificates.all()
        self._show(found, now)
        return sum([await self._tell(one, now) for one in found if one.is_due(now)])

    def _show(self, found: Iterable[Certificate], now: datetime) -> None:
        left = {(one.app_id, one.channel_type): one.days_left(now) for one in found}
        for labels in self._shown - left.keys():
            CERTIFICATE_DAYS_LEFT.remove(*labels)
        for labels, days in left.items():
            CERTIFICATE_DAYS_LEFT.labels(*labels).set(days)
        self._shown = set(left)

    async def _tell(self, one: Certificate, now: datetime) -> bool:
        if not await self._certificates.claim(one, now):
            return False
        await self._events.certificate_expiring(one, now)
        get_logger().warning(
            "certificate_expiring",
            application_id=one.app_id,
            channel_type=one.channel_type,
            bundle_id=one.bundle_id,
            expire_time=one.expire_time.isoformat(),
            days_left=round(one.days_left(now), 1),
        )
        await self._certificates.told(one, now)
        return True
