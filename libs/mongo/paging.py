"""Page tokens: the last key of a page, signed, bound to the query it came from (AIP-158)."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from libs.errors import InvalidFields, PageTokenInvalid, Violation
from libs.signing import BadSignature, Signer

DEFAULT_PAGE = 100
LARGEST_PAGE = 1000

Key = str | int | float | datetime


class Pager:
    """Makes and reads page tokens. `query` is whatever a token must not be carried across."""

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(key, "page token")

    def token(self, query: object, last: Sequence[Key] | None) -> str:
        """The token after `last`; empty when there is no further page."""
        if last is None:
            return ""
        payload = {"q": _digest(query), "k": [_packed(part) for part in last]}
        return self._signer.sign(orjson.dumps(payload))

    def last(self, query: object, token: str) -> tuple[Key, ...] | None:
        """The key after which the page begins; None for the first. Raises PageTokenInvalid."""
        if not token:
            return None
        try:
            payload = orjson.loads(self._signer.verify(token))
        except (BadSignature, orjson.JSONDecodeError) as error:
            raise PageTokenInvalid from error
        if payload["q"] != _digest(query):
            raise PageTokenInvalid
        return tuple(_unpacked(part) for part in payload["k"])


def page_size(asked: int, field: str = "page_size") -> int:
    """The size of a page: 0 means 100. Raises InvalidFields outside 0 to 1000."""
    if not 0 <= asked <= LARGEST_PAGE:
        raise InvalidFields([Violation(field, f"must be 0 to {LARGEST_PAGE}")])
    return asked or DEFAULT_PAGE


def _digest(query: object) -> str:
    data = orjson.dumps(query, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(data).hexdigest()[:16]


def _packed(part: Key) -> Any:  # noqa: ANN401 - JSON
    if isinstance(part, datetime):
        return {"t": int(part.timestamp() * 1000)}
    return part


def _unpacked(part: Any) -> Key:  # noqa: ANN401 - JSON
    if isinstance(part, dict):
        return datetime.fromtimestamp(part["t"] / 1000, UTC)
    key: Key = part
    return key
