"""Taking what consumers have parked out of their dead-letter queues."""

from collections.abc import Awaitable, Callable, Sequence

from aio_pika.abc import AbstractConnection, AbstractRobustConnection

from libs.bus.connection import connect
from libs.bus.topology import Queue

Keep = Callable[[bytes], Awaitable[None]]


class Parked:
    """Hands parked messages over one by one; one that is kept elsewhere leaves its queue.

    The connection is opened when it is needed and kept while it lives.
    """

    def __init__(self, url: str, name: str, queues: Sequence[Queue]) -> None:
        self._url = url
        self._name = name
        self._queues = tuple(queues)
        self._connection: AbstractConnection | AbstractRobustConnection | None = None

    async def take(self, keep: Keep) -> int:
        """Keep everything that is parked; returns how many messages. What `keep` raises stays."""
        connection = await self._open()
        async with connection.channel() as channel:
            taken = 0
            for queue in self._queues:
                parked = await channel.declare_queue(queue.dead, passive=True)
                if not parked.declaration_result.message_count:
                    continue  # nearly always
                while (message := await parked.get(fail=False)) is not None:
                    await keep(message.body)
                    await message.ack()
                    taken += 1
            return taken

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _open(self) -> AbstractConnection | AbstractRobustConnection:
        if self._connection is None or self._connection.is_closed:
            self._connection = await connect(self._url, self._name)
        return self._connection
