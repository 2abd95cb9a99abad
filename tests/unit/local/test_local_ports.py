"""Free ports: different from each other, bindable, and outside the range clients draw from."""

import random
import socket

import pytest

from deploy.local import ports


def test_ports_of_one_choice_differ_and_can_be_bound() -> None:
    chosen = ports.free_ports(50)
    assert len(set(chosen)) == 50
    for port in chosen:
        with socket.socket() as server:
            server.bind((ports.HOST, port))


def test_ports_lie_below_the_range_of_outgoing_connections() -> None:
    assert all(ports.LOWEST <= port < 32768 for port in ports.free_ports(50))


def test_taken_port_is_not_free_and_is_never_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = ports.free_port()
    drawn = iter([taken, taken, taken + 1, taken + 2, taken + 3])
    monkeypatch.setattr(random, "randrange", lambda *_: next(drawn))
    with socket.socket() as server:
        server.bind((ports.HOST, taken))
        server.listen()
        assert not ports.is_free(taken)
        assert ports.free_port() != taken
    assert ports.is_free(taken)
