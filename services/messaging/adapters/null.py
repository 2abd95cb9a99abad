"""A provider that takes everything at once: for benchmarks of everything before it, never more."""

from collections.abc import Sequence

from services.messaging.domain.outbound import Outbound, Turn
from services.messaging.domain.outcomes import Answer, Status

_TAKEN = Answer(Status.SUCCESSFUL)


class NullAdapter:
    """Answers SUCCESSFUL to every message; nothing leaves the process."""

    async def run(self) -> None:
        """There is no link to keep."""

    async def ready(self) -> bool:
        return True

    async def send(self, messages: Sequence[Outbound], turn: Turn | None = None) -> list[Answer]:
        if turn is not None:
            for _ in messages:
                (await turn())()
        return [_TAKEN] * len(messages)
