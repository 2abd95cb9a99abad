"""uvicorn inside the process's own loop, on a socket whose port is known before it serves."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """Leaves signals to the process that runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp, address: tuple[str, int]) -> AsyncIterator[int]:
    """Serve inside this context; yields the port."""
    listener = socket.create_server(address, backlog=1024)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2
    )
    server = _Server(config)
    group = asyncio.TaskGroup()
    await group.__aenter__()
    group.create_task(server.serve(sockets=[listener]))
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        # An error of the body is not the group's: handed over it would come back wrapped.
        await group.__aexit__(None, None, None)
        listener.close()
