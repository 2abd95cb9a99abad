"""What adapters of services with one request a message share: a window's requests side by side."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, Self

from services.messaging.domain.outbound import Answered, Outbound, Turn
from services.messaging.domain.outcomes import Answer, Status

AWAY_SECONDS: Final = 1.0
"""A service that could not be reached is left alone this long."""
_NOT_CALLED: Final = Answer(Status.NOT_CALLED)


class NotReached(Exception):
    """Nothing of a request was written: the service certainly has nothing of it."""


class SideBySide(ABC):
    """Sends the messages of a window side by side; `run` keeps what `close` gives back."""

    def __init__(self) -> None:
        self._away_until = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(self) -> None:
        """Keep the connections until cancelled."""
        try:
            await asyncio.Event().wait()
        finally:
            await self.close()

    async def ready(self) -> bool:
        """Whether the service is to be tried; one that was away is left alone for a second."""
        return asyncio.get_running_loop().time() >= self._away_until

    async def send(self, messages: Sequence[Outbound], turn: Turn | None = None) -> list[Answer]:
        """Submit side by side; answers in the order of the messages."""
        async with asyncio.TaskGroup() as group:
            tasks = []
            for one in messages:
                turns = [await turn() for _ in range(self.parts_of(one))] if turn else []
                tasks.append(group.create_task(self._one(one, turns)))
        return [task.result() for task in tasks]

    async def _one(self, message: Outbound, turns: Sequence[Answered]) -> Answer:
        try:
            return await self.submit(message)
        except NotReached:
            self._away_until = asyncio.get_running_loop().time() + AWAY_SECONDS
            return _NOT_CALLED
        finally:
            for answered in turns:
                answered()

    def parts_of(self, _: Outbound) -> int:
        """How many places of a rate a message takes."""
        return 1

    @abstractmethod
    async def submit(self, message: Outbound) -> Answer:
        """Hand one message over. Raises NotReached."""

    @abstractmethod
    async def close(self) -> None:
        """Give connections back."""
