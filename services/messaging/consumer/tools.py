"""What the consumers of one worker process share."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, repeat
from typing import TypeVar

from libs.away import is_away
from libs.bus.connection import pause
from libs.chassis.logging import get_logger
from libs.clock import Clock
from libs.errors import DependencyUnavailable
from libs.ids import new_id
from services.messaging.clients.events import EventPublisher
from services.messaging.consumer.contents import Contents
from services.messaging.consumer.gate import ClaimGate
from services.messaging.store.ledger import LedgerStore
from services.messaging.store.suppressions import SuppressionStore
from services.messaging.usecases.composition import TokenMaker
from services.messaging.usecases.controls import Controls
from services.messaging.usecases.lookout import Lookout
from services.messaging.usecases.pacing import Pacer
from services.messaging.usecases.providers import ProviderSource

T = TypeVar("T")


class Leaving(DependencyUnavailable):
    """The process stops: what is left of a batch is for another worker."""

    def __init__(self) -> None:
        super().__init__("this worker")


@dataclass(frozen=True, slots=True)
class Policy:
    """How a worker works. `window` is the most rows of one claim, `lease_seconds` its lease."""

    lease_seconds: float = 30.0
    window: int = 16
    links_url: str = ""
    delivered_on_acceptance: bool = True


@dataclass(slots=True)
class Tools:
    """The parts a batch passes through; `providers` are those of each channel type."""

    ledger: LedgerStore
    suppressions: SuppressionStore
    lookout: Lookout
    contents: Contents
    controls: Controls
    providers: Mapping[str, ProviderSource]
    pacer: Pacer
    events: EventPublisher
    gate: ClaimGate
    tokens: TokenMaker
    clock: Clock
    policy: Policy
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    begun: set[str] = field(default_factory=set)
    _tokens: Iterator[str] = field(
        # A random beginning and a count: asking the system for each would release the interpreter
        # to the driver's threads in the middle of every window.
        default_factory=lambda: map("{}-{}".format, repeat(new_id()), count())
    )

    def next_token(self) -> str:
        """A token for a claim, never used before by any worker."""
        return next(self._tokens)


async def insist(operation: Callable[[], Awaitable[T]]) -> T:
    """Repeat an operation until the database or broker it needs is there.

    For what must not be forgotten, such as outcomes of messages that were sent.
    """
    attempt = 0
    while True:
        try:
            return await operation()
        except Exception as error:
            if not is_away(error):
                raise
            get_logger().warning("outcomes_waiting", cause=type(error).__name__)
        await pause(min(attempt, 5))
        attempt += 1
