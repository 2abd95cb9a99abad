"""Baidu Cloud Push, REST API 3.0: every request is signed with the secret key."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus

from services.messaging.adapters.push_client import PushAdapter, PushService, json_of, told
from services.messaging.domain.ledger import Reason
from services.messaging.domain.outbound import OutboundPush
from services.messaging.domain.outcomes import Answer, Status

_PATH: Final = "/rest/3.0/push/single_device"
_DEAD: Final = frozenset({30608, 30609})  # no such binding, or the device unbound itself
_THROTTLED: Final = frozenset({30607, 30604})
_TEMPORARY: Final = frozenset({30600, 30601, 30699})
_SENDER: Final = frozenset({30603, 30605, 30612})
_TOO_LONG: Final = frozenset({30617})


@dataclass(frozen=True, slots=True)
class BaiduApp:
    """Who we are to Baidu."""

    api_key: str
    secret_key: str = field(repr=False)

    def sign(self, url: str, form: Mapping[str, str]) -> str:
        """MD5 of the method, the address, the sorted parameters and the secret, URL-encoded."""
        joined = "".join(f"{name}={form[name]}" for name in sorted(form))
        base = quote_plus(f"POST{url}{joined}{self.secret_key}")
        return hashlib.md5(base.encode(), usedforsecurity=False).hexdigest()


class BaiduAdapter(PushAdapter):
    """Sends to the devices of one app."""

    def __init__(self, service: PushService, app: BaiduApp) -> None:
        super().__init__(service)
        self._app = app
        self._url = service.url.rstrip("/") + _PATH

    async def push(self, message: OutboundPush) -> Answer:
        form = dict(parse_qsl(message.body.decode(), keep_blank_values=True))
        form |= {"apikey": self._app.api_key, "timestamp": str(int(time.time()))}
        form["sign"] = self._app.sign(self._url, form)
        answer = await self.client.post(_PATH, data=form)
        read: dict[str, Any] = json_of(answer)
        code = int(read.get("error_code") or 0)
        if answer.is_success and not code:
            params: Any = read.get("response_params") or {}
            return Answer(Status.SUCCESSFUL, (str(params.get("msg_id", "")),))
        return _refusal(code, told(answer, str(code), str(read.get("error_msg", ""))))


def _refusal(code: int, detail: str) -> Answer:
    if code in _DEAD:
        return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=Reason.DEAD_TOKEN)
    if code in _THROTTLED:
        return Answer(Status.THROTTLED, detail=detail)
    if code in _TEMPORARY or not code:
        return Answer(Status.TEMPORARY_FAILURE, detail=detail)
    if code in _SENDER:
        rejected = Reason.PROVIDER_REJECTED_SENDER
        return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=rejected)
    reason = Reason.CONTENT_TOO_LONG if code in _TOO_LONG else Reason.PERMANENT_FAILURE
    return Answer(Status.PERMANENT_FAILURE, detail=detail, reason=reason)
