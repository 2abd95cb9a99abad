"""Log in to an AMQP 0-9-1 broker and leave again: the proof that it serves its clients."""

import socket
import ssl
from typing import TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from pamqp import commands, frame
from pamqp.header import ProtocolHeader

Command = TypeVar("Command")

DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}
FRAME_HEAD_BYTES = 7  # type, channel, payload size (AMQP 0-9-1, 4.2.3); one end byte follows


class NotAnswering(Exception):
    """The broker refuses, or is not there yet; the text says which."""


def log_in(url: str, timeout_seconds: float) -> None:
    """Open and close one connection on the URL's virtual host.

    Raises NotAnswering. A bare TCP connect would not do: the listener may be up while the
    virtual host still recovers, and a wrong password would go unseen.
    """
    parts = urlsplit(url)
    try:
        with _connect(parts, timeout_seconds) as link:
            _open(link, parts)
            _write(link, commands.Connection.Close(200, "", 0, 0))
    except (OSError, ValueError) as error:
        raise NotAnswering(str(error)) from error


def _connect(parts: SplitResult, timeout_seconds: float) -> socket.socket:
    host = parts.hostname or ""
    address = (host, parts.port or DEFAULT_PORTS[parts.scheme])
    link = socket.create_connection(address, timeout_seconds)
    if parts.scheme != "amqps":
        return link
    return ssl.create_default_context().wrap_socket(link, server_hostname=host)


def _open(link: socket.socket, parts: SplitResult) -> None:
    user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
    link.sendall(ProtocolHeader(0, 9, 1).marshal())
    _expect(link, commands.Connection.Start)
    _write(link, commands.Connection.StartOk({}, "PLAIN", f"\0{user}\0{password}", "en_US"))
    tune = _expect(link, commands.Connection.Tune)
    _write(link, commands.Connection.TuneOk(tune.channel_max, tune.frame_max, 0))
    _write(link, commands.Connection.Open(unquote(parts.path[1:]) or "/"))
    _expect(link, commands.Connection.OpenOk)


def _write(link: socket.socket, command: "frame.FrameTypes") -> None:
    link.sendall(frame.marshal(command, 0))


def _expect(link: socket.socket, kind: type[Command]) -> Command:
    head = _read(link, FRAME_HEAD_BYTES)
    body = _read(link, int.from_bytes(head[3:7], "big") + 1)
    command = frame.unmarshal(head + body)[2]
    if not isinstance(command, kind):
        raise NotAnswering(f"the broker answered {command!r}, not {kind.__name__}")
    return command


def _read(link: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = link.recv(size - len(data))
        if not piece:
            raise ConnectionError("the broker closed the connection")
        data += piece
    return data
