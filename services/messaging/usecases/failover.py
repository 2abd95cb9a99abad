"""Several providers of one channel as one: the first that is well takes the messages.

A message goes to another provider only when the one before certainly never saw it. What a provider
put off is retried with backoff as ever, and by then whoever is first among the well takes it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from libs.chassis.logging import get_logger
from services.messaging.domain.breaker import Breaker
from services.messaging.domain.outbound import Outbound, Turn
from services.messaging.domain.outcomes import Answer, Status
from services.messaging.usecases.providers import KeptAdapter

_WELL: Final = frozenset(
    # A refusal of one message says that the provider works.
    {Status.SUCCESSFUL, Status.PERMANENT_FAILURE, Status.OPT_OUT, Status.DUPLICATE}
)
_NOT_CALLED: Final = Answer(Status.NOT_CALLED)


@dataclass(slots=True)
class Way:
    """One provider: its name for logs, its adapter, its breaker."""

    name: str
    adapter: KeptAdapter
    breaker: Breaker = field(default_factory=Breaker)


class Failover:
    """An adapter over ways in order of preference; `clock` tells monotonic seconds."""

    def __init__(self, ways: Sequence[Way], clock: Callable[[], float] | None = None) -> None:
        self._ways = ways
        self._clock = clock or asyncio.get_running_loop().time
        self._last = ""

    async def run(self) -> None:
        """Keep the links of all ways until cancelled."""
        async with asyncio.TaskGroup() as group:
            for way in self._ways:
                group.create_task(way.adapter.run())

    async def ready(self) -> bool:
        """Whether any way is open."""
        return await self._open(0) is not None

    async def send(self, messages: Sequence[Outbound], turn: Turn | None = None) -> list[Answer]:
        """Submit to the first way that is open; answers in the order of the messages."""
        answers = [_NOT_CALLED] * len(messages)
        left, place = list(range(len(messages))), await self._open(0)
        while left and place is not None:
            found = await self._send(self._ways[place], [messages[n] for n in left], turn)
            for n, answer in zip(left, found, strict=True):
                answers[n] = answer
            left = [n for n in left if answers[n].status is Status.NOT_CALLED]
            place = await self._open(place + 1)
        return answers

    async def _open(self, first: int) -> int | None:
        """The first way from there on that may be called and can be reached."""
        for place in range(first, len(self._ways)):
            way = self._ways[place]
            if not way.breaker.admits(self._clock()):
                continue
            if await way.adapter.ready():
                return place
            way.breaker.fail(self._clock())
        return None

    async def _send(
        self, way: Way, messages: Sequence[Outbound], turn: Turn | None
    ) -> list[Answer]:
        self._tell(way)
        way.breaker.begin(self._clock())
        try:
            answers = await way.adapter.send(messages, turn)
        except BaseException:
            way.breaker.give_up()
            raise
        if any(one.status in _WELL for one in answers):
            way.breaker.succeed()
        elif any(one.status is Status.THROTTLED for one in answers):
            way.breaker.give_up()
        else:
            way.breaker.fail(self._clock())
        return answers

    def _tell(self, way: Way) -> None:
        if way.name != self._last:
            if self._last:
                get_logger().warning("provider_changed", before=self._last, now=way.name)
            self._last = way.name
