"""What becomes of a notification."""

from dataclasses import dataclass
from typing import Final, Protocol

ACCEPTED: Final = "accepted"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of it: ACCEPTED, or why not. `moved_to` is the token to use from now on."""

    kind: str
    message_id: str = ""
    moved_to: str = ""

    @property
    def is_taken(self) -> bool:
        return self.kind == ACCEPTED


class Taker(Protocol):
    """Takes notifications to devices, or refuses them."""

    async def take(
        self, service: str, token: str, payload: bytes, message_id: str = ""
    ) -> Verdict: ...
