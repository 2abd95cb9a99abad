"""Contents that batches name, read once and kept compiled."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from libs.endpoint_values import Reader, endpoint_reader, whole_endpoint
from services.messaging.consumer.decoding import words_of
from services.messaging.domain.ledger import Reason
from services.messaging.domain.rendering import RenderingFailed
from services.messaging.domain.work import Words
from services.messaging.store.contents import ContentStore

_KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class Prepared:
    """Compiled words and what reads their variables from endpoints; or why there are none."""

    words: Words | None
    read: Reader
    failure: RenderingFailed | None = None


class Contents:
    """Compiled contents by id; contents never change, so what is kept is never stale."""

    def __init__(self, store: ContentStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, Prepared] = OrderedDict()

    async def of(self, content_id: str, channel_type: str) -> Prepared:
        """The content, compiled."""
        prepared = self._kept.get(content_id)
        if prepared is not None:
            self._kept.move_to_end(content_id)
            return prepared
        body = await self._store.get(content_id)
        if body is None:
            failure = RenderingFailed(Reason.RENDERING_FAILURE, "the content is not kept any more")
            return Prepared(None, endpoint_reader(()), failure)
        prepared = self._kept[content_id] = _prepared(channel_type, body)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return prepared


def _prepared(channel_type: str, body: bytes) -> Prepared:
    try:
        words = words_of(channel_type, body)
    except RenderingFailed as failure:
        return Prepared(None, endpoint_reader(()), failure)
    if words.custom is not None:
        return Prepared(words, whole_endpoint)
    return Prepared(words, endpoint_reader(words.content.variables))
