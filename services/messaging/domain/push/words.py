"""The texts of a notification: which are templates, and the notification with them rendered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from libs.handlebars import texts_of, with_texts
from services.messaging.domain.ledger import Reason
from services.messaging.domain.push.notification import Notification
from services.messaging.domain.rendering import Rendered, RenderingFailed

Texts = tuple[tuple[str, str], ...]
# Templates beside title and body, which every content has.
_FIELDS: Final = ("url", "media_url", "image_url", "image_icon_url", "small_image_icon_url")


@dataclass(frozen=True, slots=True)
class PushWords:
    """A notification before rendering. Raises RenderingFailed for raw content that is no JSON."""

    notification: Notification
    _raw: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        raw = self.notification.raw_content
        object.__setattr__(self, "_raw", _parsed(raw) if raw else None)

    @property
    def texts(self) -> Texts:
        """Its templates beside title and body; of raw content every text is one."""
        if self._raw is not None:
            return tuple(("raw_content", text) for text in texts_of(self._raw))
        one = self.notification
        named = [(name, getattr(one, name)) for name in _FIELDS if getattr(one, name)]
        return (*named, *(("data", value) for value in one.data.values()))

    def rendered(
        self, words: Rendered, context: Mapping[str, str], campaign: Mapping[str, str]
    ) -> Notification:
        """The notification for one recipient; `words` are rendered from `texts`, in their order."""
        said: dict[str, Any] = {"context": context, "campaign": campaign}
        if self._raw is not None:
            raw = with_texts(self._raw, (text for _, text in words.headers))
            said["raw_content"] = json.dumps(raw, ensure_ascii=False, separators=(",", ":"))
        else:
            said |= {name: text for name, text in words.headers if name != "data"}
            values = (text for name, text in words.headers if name == "data")
            said["data"] = dict(zip(self.notification.data, values, strict=True))
        return replace(self.notification, title=words.subject, body=words.text, **said)


def _parsed(raw: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(raw)
    except ValueError as error:
        why = f"the raw content is no JSON: {error}"
        raise RenderingFailed(Reason.RENDERING_FAILURE, why) from error
