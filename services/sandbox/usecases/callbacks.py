"""How Twilio tells what became of texts and calls: signed forms, to the URL that asked for them."""

import base64
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from services.sandbox.domain.behaviours import VOICE, Outcome
from services.sandbox.usecases.later import Later

Post = Callable[[str, Mapping[str, str], Mapping[str, str]], Awaitable[None]]
"""Posts fields with headers to a URL; raises when they are not taken."""
_DELIVERED: Final = ("delivered", "")
# What a carrier may say (SMPP 3.4 appendix B) as Twilio says it.
_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "DELIVRD": _DELIVERED,
    "UNDELIV": ("undelivered", "30003"),
    "REJECTD": ("undelivered", "30007"),
    "EXPIRED": ("undelivered", "30036"),
    "DELETED": ("undelivered", "30008"),
    "UNKNOWN": ("undelivered", "30008"),
}
_CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "busy": ("initiated",),
    "no-answer": ("initiated", "ringing"),
    "failed": ("initiated",),
}
"""What is told of calls that come to nothing, before their end."""
_TAKEN: Final = ("initiated", "ringing", "in-progress")
_NO_ERROR: Final = "000"


@dataclass(frozen=True, slots=True)
class Called:
    """A text or call that was taken."""

    channel: str
    account_sid: str
    sid: str
    sender: str
    to: str


class CallsBack:
    """Calls back about each message: its way, and its end, `copies` times if the script says so."""

    def __init__(self, later: Later, post: Post, auth_token: str) -> None:
        self._later = later
        self._post = post
        self._auth_token = auth_token

    def plan(self, url: str, message: Called, outcome: Outcome) -> None:
        """Call back after the delay of the outcome."""
        end = _fields(message, outcome)
        way = [end | change for change in _way(message, outcome)]
        is_right = outcome.signature == "right"
        for copy in range(outcome.copies):
            delay_ms = outcome.after_ms + copy * outcome.shuffle_ms
            told = [end] if copy else [*way, end]
            self._later.start(delay_ms, partial(self._tell, url, told, is_right=is_right))

    async def _tell(self, url: str, told: Sequence[dict[str, str]], *, is_right: bool) -> None:
        for fields in told:
            signature = self._signature(url, fields) if is_right else "forged"
            await self._post(url, fields, {"X-Twilio-Signature": signature})

    def _signature(self, url: str, fields: Mapping[str, str]) -> str:
        """HMAC-SHA1 over the URL and the sorted fields (Twilio, "Webhooks security")."""
        told = url + "".join(name + fields[name] for name in sorted(fields))
        digest = hmac.digest(self._auth_token.encode(), told.encode(), "sha1")
        return base64.b64encode(digest).decode()


def _way(message: Called, outcome: Outcome) -> list[dict[str, str]]:
    """What changes in the fields of the end, for what is told before it."""
    if message.channel != VOICE:
        return []
    return [{"CallStatus": status} for status in _CALLS.get(outcome.kind, _TAKEN)]


def _fields(message: Called, outcome: Outcome) -> dict[str, str]:
    fields = {"AccountSid": message.account_sid, "From": message.sender, "To": message.to}
    if message.channel == VOICE:
        status = outcome.kind if outcome.kind in _CALLS else "completed"
        return fields | {"CallSid": message.sid, "CallStatus": status}
    status, code = _TEXTS.get(outcome.state, ("sent", ""))
    if outcome.error != _NO_ERROR:
        code = outcome.error
    fields |= {"MessageSid": message.sid, "MessageStatus": status}
    return fields | ({"ErrorCode": code} if code else {})
