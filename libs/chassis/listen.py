"""Addresses to listen on."""


def split_address(listen: str) -> tuple[str, int]:
    """Host and port of `host:port`; brackets of an IPv6 host are taken off."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]") or "127.0.0.1", int(port)
