"""The data that Android apps get: keys as the SDKs of Pinpoint read them, values all texts."""

from services.messaging.domain.push.notification import Notification
from services.messaging.domain.push.payload import json_body


def data_of(one: Notification) -> dict[str, str]:
    """The data of a notification, the same for Firebase, Amazon and Baidu."""
    data = {f"pinpoint.{name}": value for name, value in one.context.items()}
    if one.silent_push:
        data |= {"pinpoint.notification.silentPush": "1", "pinpoint.jsonBody": json_body(one)}
    else:
        shown = {
            "title": one.title,
            "body": one.body,
            "icon": one.icon_reference,
            "imageIconUrl": one.image_icon_url,
            "imageSmallIconUrl": one.small_image_icon_url,
            "imageUrl": one.image_url,
            "sound": one.sound,
        }
        data |= {f"pinpoint.notification.{name}": said for name, said in shown.items() if said}
        data |= _opened(one)
    data |= {f"pinpoint.campaign.{name}": value for name, value in one.campaign.items()}
    if one.trace_id:
        data["pinpoint.traceId"] = one.trace_id
    return data


def _opened(one: Notification) -> dict[str, str]:
    if one.action == "DEEP_LINK":
        return {"pinpoint.deeplink": one.url}
    if one.action == "URL":
        return {"pinpoint.url": one.url}
    return {"pinpoint.openApp": "true"}
