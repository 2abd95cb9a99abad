"""The gateway's clocks: each looks for its own kind of work again and again, until told to stop."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from libs.away import is_away
from libs.chassis.logging import get_logger
from services.messaging.domain.batches import PROMOTIONAL, TRANSACTIONAL
from services.messaging.domain.families import MEMBERS
from services.messaging.usecases.certificate_watch import CertificateWatch
from services.messaging.usecases.dead_letters import DeadLetters
from services.messaging.usecases.feeding import Feeding
from services.messaging.usecases.holding import Holding
from services.messaging.usecases.sharing import Sharing

Background = Callable[[asyncio.Event], Awaitable[None]]
_LANES: Final = [
    (channel_type, message_type)
    for members in MEMBERS.values()
    for channel_type in members
    for message_type in (TRANSACTIONAL, PROMOTIONAL)
]
AWAY_SECONDS: Final = 1.0


def clocks(
    feeding: Feeding,
    sharing: Sharing,
    holding: Holding,
    letters: DeadLetters,
    watch: CertificateWatch,
    tick_seconds: float,
) -> Sequence[Background]:
    """The loops to run: quick ones tick every `tick_seconds`, others up to 120 times as seldom.

    Lanes are shared out 5 times as often: their queues hold what workers take meanwhile.
    """

    async def sweep() -> int:
        used = await feeding.channels()
        lanes = [(channel, lane) for channel, lane in _LANES if channel in used]
        return sum([await feeding.sweep(channel, lane) for channel, lane in lanes])

    async def share_out() -> int:
        await sharing.share_out()
        return 0  # again at once would be before any worker took something

    async def look_at_certificates() -> int:
        await watch.look()
        return 0  # whoever was told of waits for tomorrow

    return (
        _every(tick_seconds / 5, share_out, "share"),
        _every(tick_seconds, feeding.feed_due, "due"),
        _every(tick_seconds, feeding.settle, "settle"),
        _every(tick_seconds, holding.settle, "holds"),
        _every(tick_seconds, feeding.publish_left, "publish"),
        _every(tick_seconds * 5, feeding.expire, "expire"),
        _every(tick_seconds * 20, letters.collect, "dead_letters"),
        _every(tick_seconds * 5, sweep, "sweep"),
        _every(tick_seconds * 120, look_at_certificates, "certificates"),
    )


def _every(seconds: float, work: Callable[[], Awaitable[int]], name: str) -> Background:
    """Do the work again at once while there is some, else after a pause; wait out what is away."""

    async def loop(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            pause = seconds
            try:
                if await work():
                    pause = 0.0
            except Exception as error:
                if is_away(error):
                    get_logger().warning("clock_waiting", clock=name, cause=type(error).__name__)
                else:  # the other clocks and the RPCs go on; this one tries again
                    get_logger().exception("clock_failed", clock=name)
                pause = max(seconds, AWAY_SECONDS)
            await _wait(stopping, pause)

    return loop


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return
