"""Pages of the ledger, by endpoint or by dispatch, in the order of the index that answers."""

from collections.abc import Sequence

from google.protobuf.message import Message

from libs.errors import InvalidFields, Violations
from libs.mongo.paging import Key, Pager, page_size
from services.messaging.domain.ledger import Row
from services.messaging.store.dispatches import DispatchStore
from services.messaging.store.ledger import LedgerStore, MessageQuery, index_key


class LedgerPages:
    """Answers questions for many messages, page by page."""

    def __init__(self, ledger: LedgerStore, dispatches: DispatchStore, pager: Pager) -> None:
        self._ledger = ledger
        self._dispatches = dispatches
        self._pager = pager

    async def page(
        self, request: Message, asked: tuple[int, str], query: MessageQuery
    ) -> tuple[list[Row], str]:
        """The rows of a page and the token of the next; `asked` are size and token."""
        size = page_size(asked[0])
        bound_to = _bound(request)
        after = self._pager.last(bound_to, asked[1])
        by_endpoint = bool(query.endpoint_id)
        ask = self._ledger.of_endpoint if by_endpoint else self._ledger.of_dispatches
        rows = await ask(query, after, size + 1)
        last = rows[size - 1] if len(rows) > size else None
        key = _page_key(last, by_endpoint=by_endpoint)
        return rows[:size], self._pager.token(bound_to, key)

    async def dispatch_ids(
        self, app_id: str, dispatch_id: str, campaign_id: str
    ) -> tuple[str, ...]:
        """Dispatches that are asked for: one, or all of a campaign."""
        ids = [dispatch_id] if dispatch_id else []
        if campaign_id:
            found = await self._dispatches.of_campaign(app_id, campaign_id)
            ids = [one for one in found if not ids or one in ids]
            # Nothing has the empty id: a campaign without dispatches has no messages.
            ids = ids or [""]
        return tuple(ids)


def check_page(found: Violations, size: int) -> None:
    """Note a page size that is none."""
    try:
        page_size(size)
    except InvalidFields as error:
        found.extend(error.violations)


def _bound(request: Message) -> str:
    """What a token belongs to: the question without its place."""
    bound = type(request)()
    bound.CopyFrom(request)
    bound.ClearField("page_token")
    bound.ClearField("page_size")
    return bound.SerializeToString(deterministic=True).hex()


def _page_key(last: Row | None, *, by_endpoint: bool) -> Sequence[Key] | None:
    if last is None:
        return None
    return (last.create_time, last.message_id) if by_endpoint else index_key(last)
