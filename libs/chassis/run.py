"""Start and stop of a process: set up, serve, and on SIGTERM drain, finish, close in reverse."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import uvloop

from libs.chassis import config, logging, metrics
from libs.chassis.client import open_channel
from libs.chassis.config import Settings
from libs.chassis.context import Principal
from libs.chassis.interceptors.auth import Authenticator
from libs.chassis.keys import RemoteAuthenticator
from libs.chassis.server import Server, Service
from libs.errors import Unauthenticated

# After this, work in flight is cancelled; queues deliver it again.
GRACE_SECONDS = 10.0

Background = Callable[[asyncio.Event], Awaitable[None]]
S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True)
class Parts:
    """What `setup` returns: gRPC services, and loops that end when the event is set.

    A loop finishes what it has in hand and returns once its event is set.
    """

    services: Sequence[Service] = ()
    background: Sequence[Background] = ()
    authenticator: Authenticator | None = None


Setup = Callable[[S, AsyncExitStack], Awaitable[Parts]]


@dataclass(slots=True)
class Process:
    """A running process, for tests and for `run`."""

    server: Server
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    failed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server.port}"


@asynccontextmanager
async def started(settings: S, setup: Setup[S]) -> AsyncIterator[Process]:
    """Run a service inside this context; leaving it stops it in the order clients can follow."""
    async with AsyncExitStack() as stack:
        parts = await setup(settings, stack)
        authenticator = parts.authenticator or _authenticator(settings, stack)
        process = Process(Server(settings, authenticator, parts.services))
        await process.server.start()
        async with asyncio.TaskGroup() as group:
            loops = [group.create_task(_guarded(loop, process)) for loop in parts.background]
            await process.server.serve()
            try:
                yield process
            finally:
                await _stop(process, loops, settings.drain_seconds)


async def _guarded(loop: Background, process: Process) -> None:
    try:
        await loop(process.stopping)
    except Exception:
        logging.get_logger().exception("background_failed")
        process.failed.set()


async def _stop(process: Process, loops: list[asyncio.Task[None]], drain_seconds: float) -> None:
    await process.server.stop_serving()
    await asyncio.sleep(drain_seconds)  # load balancers notice before calls are refused
    process.stopping.set()
    if loops:
        _, late = await asyncio.wait(loops, timeout=GRACE_SECONDS)
        for task in late:
            task.cancel()
    await process.server.stop(GRACE_SECONDS)


class _PeersOnly:
    async def authenticate(self, access_key_id: str, secret_hash: bytes) -> Principal:  # noqa: ARG002
        raise Unauthenticated("this service knows no keys: APPLICATIONS_ADDR is not set")

    async def known(self, access_key_id: str) -> Principal:
        return await self.authenticate(access_key_id, b"")


def _authenticator(settings: Settings, stack: AsyncExitStack) -> Authenticator:
    if not settings.applications_addr:
        return _PeersOnly()
    return RemoteAuthenticator(open_channel(settings, settings.applications_addr, stack))


def run(settings_class: type[S], setup: Setup[S], name: str) -> None:
    """The whole life of a process named `name`: this is all a service's `__main__` calls."""
    settings = config.load(settings_class)
    logging.configure(name, settings.log_level, settings.log_format)
    uvloop.run(_main(settings, setup))


def _settle_memory() -> None:
    # What was loaded at start stays: the collector need not walk it again and again while
    # batches of thousands of small objects come and go.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _main(settings: S, setup: Setup[S]) -> None:
    log = logging.get_logger()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        metrics.serve(settings.metrics_listen, stack)
        process = await stack.enter_async_context(started(settings, setup))
        _settle_memory()
        log.info("process_started", port=process.server.port)
        await _first(stop, process.failed)
        log.info("process_stopping")
    if process.failed.is_set():
        raise SystemExit(1)


async def _first(*events: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(event.wait()) for event in events]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
