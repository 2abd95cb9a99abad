"""Push notifications between the wire and the domain: one shape for every service."""

from touchpoint.common.v1 import channel_pb2
from touchpoint.messaging.v1 import message_pb2 as pb

from services.messaging.domain.push.notification import Notification

_ACTIONS = {
    number: name.removeprefix("PUSH_ACTION_") if number else ""
    for name, number in channel_pb2.PushAction.items()
}


def notification_of(push: pb.PushContent) -> Notification:
    """The notification that a content holds, before rendering."""
    return Notification(
        title=push.title,
        body=push.body,
        action=_ACTIONS.get(push.action, ""),
        url=push.url,
        raw_content=push.raw_content,
        silent_push=push.silent_push,
        data=dict(push.data),
        json_body=push.json_body,
        sound=push.sound,
        badge=push.badge if push.HasField("badge") else None,
        category=push.category,
        thread_id=push.thread_id,
        collapse_key=push.collapse_key,
        time_to_live=push.time_to_live if push.HasField("time_to_live") else None,
        priority=push.priority,
        push_type=push.push_type,
        media_url=push.media_url,
        image_url=push.image_url,
        image_icon_url=push.image_icon_url,
        small_image_icon_url=push.small_image_icon_url,
        icon_reference=push.icon_reference,
        restricted_package_name=push.restricted_package_name,
        md5=push.md5,
        authentication=push.preferred_authentication_method,
    )
