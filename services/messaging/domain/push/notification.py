"""A push notification: one shape for every service (spec 6.5)."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Notification:
    """What is said. Fields that a service does not know are not told to it.

    `raw_content` is the payload as JSON and overrides everything else. `data`, or `json_body` in
    its place, is what a silent push tells the app. `context` is the caller's (spec 6.1),
    `campaign` names the campaign of one.
    """

    title: str = ""
    body: str = ""
    action: str = ""
    url: str = ""
    raw_content: str = ""
    silent_push: bool = False
    data: Mapping[str, str] = field(default_factory=dict)
    json_body: str = ""
    sound: str = ""
    badge: int | None = None
    category: str = ""
    thread_id: str = ""
    collapse_key: str = ""
    time_to_live: int | None = None
    priority: str = ""
    push_type: str = ""
    media_url: str = ""
    image_url: str = ""
    image_icon_url: str = ""
    small_image_icon_url: str = ""
    icon_reference: str = ""
    restricted_package_name: str = ""
    md5: str = ""
    authentication: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    campaign: Mapping[str, str] = field(default_factory=dict)
    trace_id: str = ""

    @property
    def is_urgent(self) -> bool | None:
        """Whether the priority is high; None when none is given. 5 = normal, 10 = high."""
        return PRIORITIES.get(self.priority.lower())


PRIORITIES: Mapping[str, bool] = {"high": True, "10": True, "normal": False, "5": False}
