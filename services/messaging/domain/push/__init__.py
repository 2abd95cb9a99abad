"""Push notifications: what each service is told."""

from datetime import datetime

from services.messaging.domain.push import adm, apns, baidu, fcm
from services.messaging.domain.push.notification import Notification
from services.messaging.domain.push.payload import Payload

__all__ = ["Notification", "Payload", "payload_of"]


def payload_of(channel_type: str, one: Notification, token: str, now: datetime) -> Payload:
    """The notification as the service of the channel takes it. Raises RenderingFailed."""
    if channel_type == "GCM":
        return fcm.payload(one, token)
    if channel_type == "ADM":
        return adm.payload(one)
    if channel_type == "BAIDU":
        return baidu.payload(one, token)
    return apns.payload(channel_type, one, now)
