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
    _json: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        one = self.notification
        for name, text in (("_raw", one.raw_content), ("_json", one.json_body)):
            object.__setattr__(self, name, _parsed(text) if text else None)

    @property
    def texts(self) -> Texts:
        """Its templates beside title and body; of raw content every text is one."""
        if self._raw is not None:
            return tuple(("raw_content", text) for text in texts_of(self._raw))
        one = self.notification
        named = [(name, getattr(one, name)) for name in _FIELDS if getattr(one, name)]
        inner = [("json_body", text) for text in texts_of(self._json)]
        return (*named, *(("data", value) for value in one.data.values()), *inner)

    def rendered(self, words: Rendered, context: Mapping[str, str]) -> Notification:
        """The notification for one recipient; `words` are rendered from `texts`, in their order."""
        said: dict[str, Any] = {"context": context}
        if self._raw is not None:
            said["raw_content"] = _filled(self._raw, words, "raw_content")
        else:
            said |= {name: text for name, text in words.headers if name in _FIELDS}
            values = (text for name, text in words.headers if name == "data")
            said["data"] = dict(zip(self.notification.data, values, strict=True))
            if self._json is not None:
                said["json_body"] = _filled(self._json, words, "json_body")
        return replace(self.notification, title=words.subject, body=words.text, **said)


def _filled(document: Any, words: Rendered, name: str) -> str:  # noqa: ANN401 - any JSON
    """The document with its texts rendered, as text."""
    filled = with_texts(document, (text for known, text in words.headers if known == name))
    return json.dumps(filled, ensure_ascii=False, separators=(",", ":"))


def _parsed(raw: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        why = f"is no JSON: {error}"
        raise RenderingFailed(Reason.RENDERING_FAILURE, why) from error
