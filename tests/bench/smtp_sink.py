"""A mail server that takes everything and keeps nothing: as little as SMTP (RFC 5321) allows.

`python -m tests.bench.smtp_sink PORT`; it costs a sender no more than it must.
"""

import asyncio
import sys
from typing import Final, cast

import uvloop

_ANSWERS: Final = {
    b"EHLO": b"250-sink\r\n250-8BITMIME\r\n250 PIPELINING\r\n",
    b"HELO": b"250 sink\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}
_END: Final = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._kept = b""
        self._in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._kept += data
        while self._step():
            pass

    def _step(self) -> bool:
        """Answer a command or the end of a body; False when more must come first."""
        mark = _END if self._in_body else b"\r\n"
        line, found, rest = self._kept.partition(mark)
        if not found:
            return False
        self._kept = rest
        word = b"" if self._in_body else line[:4].upper()
        self._in_body = word == b"DATA"
        self._transport.write(_ANSWERS.get(word, b"250 OK\r\n"))
        return True


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
