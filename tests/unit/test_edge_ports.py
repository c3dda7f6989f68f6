"""The edge's further ports: where the seed's clients look, all or none, errors for people."""

from __future__ import annotations

import socket

import pytest
from pydantic import ValidationError

from headgate import __main__ as command
from headgate.cli import edge, up
from headgate.embedded.errors import CannotStart
from headgate.streams.settings import Settings


@pytest.fixture
def free() -> list[int]:
    """Two ports that nobody listens on."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def settings(free: list[int]) -> Settings:
    return Settings(http_port=free[0], http_more_ports=str(free[1]))


def test_the_main_port_comes_first_and_no_port_twice() -> None:
    assert Settings().http_ports == [8000]
    assert Settings(http_more_ports="3000, 3001").http_ports == [8000, 3000, 3001]
    assert Settings(http_port=3001, http_more_ports="3000,3001").http_ports == [3001, 3000]


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "3000;3001", "3000 3001"])
def test_what_is_no_port_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValidationError, match=r"is no port: a whole number from 1 to 65535"):
        Settings(http_more_ports=text)


def test_the_edge_listens_on_all_of_them(free: list[int]) -> None:
    listening = edge._listen(settings(free))
    assert [each.getsockname()[1] for each in listening] == free
    for each in listening:
        each.close()


def test_a_further_port_that_is_taken_is_named_and_none_stays_open(free: list[int]) -> None:
    with socket.create_server(("127.0.0.1", free[1])):
        with pytest.raises(edge.CannotListen) as told:
            edge._listen(settings(free))
        with pytest.raises(CannotStart) as told_by_up:
            up._check_ports(settings(free))
    assert f"127.0.0.1:{free[1]} cannot be listened on" in str(told.value)
    assert "leave it out of HEADGATE_HTTP_MORE_PORTS" in str(told.value)
    assert f"Port {free[1]}, where the edge should listen, is taken by" in str(told_by_up.value)
    assert "leave --seed-ports away" in str(told_by_up.value)
    socket.create_server(("127.0.0.1", free[0])).close()


def test_the_main_port_that_is_taken_can_be_another(free: list[int]) -> None:
    with socket.create_server(("127.0.0.1", free[0])):
        with pytest.raises(edge.CannotListen, match="HEADGATE_HTTP_PORT to another port"):
            edge._listen(settings(free))
        with pytest.raises(CannotStart, match="choose another: HEADGATE_HTTP_PORT="):
            up._check_ports(settings(free))


def test_up_takes_the_seeds_ports_when_asked_and_says_so() -> None:
    assert not command.parser().parse_args(["up"]).seed_ports
    assert command.parser().parse_args(["up", "--seed-ports"]).seed_ports
    seeds = Settings(http_more_ports=up.SEED_PORTS)
    assert seeds.http_ports == [8000, 3000, 3001]
    assert "http://127.0.0.1:8000/api/v1  (also on ports 3000 and 3001)" in up._welcome(seeds, 1)
    assert "also on" not in up._welcome(Settings(), 1)
