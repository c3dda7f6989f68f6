"""Names that change their mind: a real name server, real sockets, and a trap on the inside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from headgate.streams.outbound.transport import DeliveryFailed
from tests.unit.name_server import Zone, name_server
from tests.unit.outbound_receiver import OK, Receiver, answering, fails, post, transport

OUTSIDE, INSIDE = "127.0.0.2", "127.0.0.1"
"""Two addresses of this machine: the first stands for a public one (the operator's list allows
it), the second is what it always is."""


@pytest.fixture
async def two_receivers() -> AsyncIterator[tuple[Receiver, Receiver, str]]:
    """The same port on either address."""
    outside, trap = Receiver(answering(OK, close=True)), Receiver(answering(OK, close=True))
    try:
        server = await asyncio.start_server(outside.serve, OUTSIDE, 0)
    except OSError:
        pytest.skip(f"this machine has no address {OUTSIDE}")
    port = server.sockets[0].getsockname()[1]
    other = await asyncio.start_server(trap.serve, INSIDE, port)
    async with server, other:
        yield outside, trap, f"http://hooks.example.com:{port}/hook"


def changing(*answers: list[str]) -> Zone:
    return lambda number: answers[(number - 1) % len(answers)]


SETTINGS = {"webhook_allow_loopback": False, "webhook_networks_allowed": f"{OUTSIDE}/32"}


async def test_a_name_that_answers_in_turn_never_leads_inside(
    two_receivers: tuple[Receiver, Receiver, str],
) -> None:
    """The classic attack: outside for whoever checks, inside for whoever connects."""
    outside, trap, url = two_receivers
    outcomes = []
    async with (
        name_server(changing([OUTSIDE], [INSIDE])) as names,
        transport(names.lookup, **SETTINGS) as way_out,
    ):
        for _ in range(20):
            way_out._resolver._known.clear()  # as after a minute
            try:
                outcomes.append(str((await post(way_out, url)).status))
            except DeliveryFailed as failure:
                outcomes.append(failure.kind)
    assert outcomes == ["200", "blocked"] * 10
    assert names.lookups == 20, "one lookup for check and connection together"
    assert (outside.connections, trap.connections) == (10, 0)


async def test_a_name_of_two_minds_is_refused_whole(
    two_receivers: tuple[Receiver, Receiver, str],
) -> None:
    """04 §10.2: whichever comes first, and in whichever family."""
    outside, trap, url = two_receivers
    for mixed in ([OUTSIDE, INSIDE], [INSIDE, OUTSIDE], [OUTSIDE, "::1"], [OUTSIDE, "fd00::1"]):
        async with (
            name_server(changing(mixed)) as names,
            transport(names.lookup, **SETTINGS) as way_out,
        ):
            reason = await fails(way_out, url, "blocked")
            assert not any(address in reason for address in mixed)
    assert (outside.connections, trap.connections) == (0, 0)


async def test_a_time_to_live_of_nothing_does_not_make_us_ask_each_time(
    two_receivers: tuple[Receiver, Receiver, str],
) -> None:
    outside, trap, url = two_receivers
    async with (
        name_server(changing([OUTSIDE], [INSIDE])) as names,
        transport(names.lookup, **SETTINGS) as way_out,
    ):
        for _ in range(5):
            assert (await post(way_out, url)).status == 200
    assert (names.lookups, outside.connections, trap.connections) == (1, 5, 0)
