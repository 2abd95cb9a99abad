"""Waiting for what comes by queue."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from grpc import aio

T = TypeVar("T")


async def eventually(call: Callable[[], Awaitable[T]], seconds: float = 20.0) -> T:
    """Call until the answer is no longer NOT_FOUND."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return await call()
        except aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            assert asyncio.get_running_loop().time() < deadline, "it never came"
            await asyncio.sleep(0.05)
