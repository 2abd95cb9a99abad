"""Free TCP ports on the loopback address, chosen so that nothing else takes them meanwhile."""

import random
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"

# Below the kernel's default range for outgoing connections (32768 and up): a client that
# connects between our choice and the server's bind can then never take the port.
LOWEST, HIGHEST = 20000, 32000
ATTEMPTS = 2000


class NoFreePort(Exception):
    """The range holds no free port."""


def free_ports(count: int) -> list[int]:
    """Return `count` different ports, every one of them free at the same moment."""
    with ExitStack() as stack:
        return [_hold(stack) for _ in range(count)]


def free_port() -> int:
    return free_ports(1)[0]


def is_free(port: int) -> bool:
    """Say whether a server could bind the port now, as servers do (SO_REUSEADDR)."""
    with socket.socket() as probe:
        return _binds(probe, port)


def _hold(stack: ExitStack) -> int:
    for _ in range(ATTEMPTS):
        port = random.randrange(LOWEST, HIGHEST)
        probe = stack.enter_context(socket.socket())
        if _binds(probe, port):
            # Listening makes a second probe of the same port fail in spite of SO_REUSEADDR.
            probe.listen()
            return port
    raise NoFreePort(f"no free port between {LOWEST} and {HIGHEST} on {HOST}")


def _binds(probe: socket.socket, port: int) -> bool:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((HOST, port))
    except OSError:
        return False
    return True
