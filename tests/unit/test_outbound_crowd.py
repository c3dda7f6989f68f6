"""Many names, one machine: what is under way to an address is bounded (04 §10.9)."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.outbound.crowd import Crowd
from headgate.streams.outbound.outcome import DeliveryFailed
from tests.unit.outbound_receiver import (
    OK,
    PUBLIC,
    Names,
    answering,
    fails,
    hang,
    post,
    receiver,
    transport,
    until,
)


def filled(crowd: Crowd, stack: ExitStack, address: str, party: str) -> int:
    """Take places until there are none; how many there were."""
    for taken in range(1000):
        try:
            stack.enter_context(crowd.place(address, party))
        except DeliveryFailed:
            return taken
    pytest.fail("there is no bound")


def test_one_party_leaves_half_and_every_place_comes_back() -> None:
    crowd = Crowd(16)
    with ExitStack() as stack:
        taken = [filled(crowd, stack, PUBLIC, f"party {n}") for n in range(10)]
        assert taken[:4] == [8, 4, 2, 1]
        assert sum(taken) == 16
        assert filled(crowd, stack, "8.8.8.8", "elsewhere") == 8
    assert crowd._under_way == {}


def test_an_ipv6_network_counts_as_one_machine_and_loopback_as_none() -> None:
    crowd = Crowd(2)
    with ExitStack() as stack:
        assert filled(crowd, stack, "2a00:1450:4001:800::1", "a") == 1
        assert filled(crowd, stack, "2a00:1450:4001:800:ffff::2", "a") == 0
        assert filled(crowd, stack, "2a00:1450:4001:801::1", "a") == 1
        for _ in range(10):
            stack.enter_context(crowd.place("127.0.0.1", "a"))
            stack.enter_context(crowd.place("::1", "a"))


@given(st.integers(1, 40), st.lists(st.integers(0, 9), max_size=200))
def test_never_more_than_the_bound_and_nobody_is_shut_out_of_an_empty_place(
    most: int, parties: list[int]
) -> None:
    crowd, taken = Crowd(most), 0
    with ExitStack() as stack:
        for party in parties:
            try:
                stack.enter_context(crowd.place(PUBLIC, str(party)))
            except DeliveryFailed:
                assert taken
            else:
                taken += 1
        assert taken <= most
    assert crowd._under_way == {}


async def test_a_thousand_names_for_one_victim_do_not_flood_it(public_is_local: list[str]) -> None:
    async with (
        receiver(hang) as victim,
        transport(Names([PUBLIC]).lookup, webhook_address_in_flight_max=32) as way_out,
    ):
        port = victim.url.rpartition(":")[2]
        urls = [f"http://shop{n}.example.com:{port}" for n in range(1000)]
        attempts = [asyncio.create_task(post(way_out, url, 30_000)) for url in urls]
        await until(lambda: sum(task.done() for task in attempts) >= 1000 - 32)
        await until(lambda: victim.connections == 32)
        failures = [task.exception() for task in attempts if task.done()]
        assert {getattr(failure, "kind", None) for failure in failures} == {"crowded"}
        assert len(public_is_local) == 32
        for task in attempts:
            task.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
        assert way_out._crowd._under_way == {}
        victim.script = answering(OK)
        assert (await post(way_out, urls[0])).status == 200


async def test_a_crowd_at_an_address_is_not_told_from_idle_connections(
    public_is_local: list[str],
) -> None:
    """A connection that could not be used now is kept for later."""
    async with (
        receiver(answering(OK)) as there,
        transport(Names([PUBLIC]).lookup, webhook_address_in_flight_max=1) as way_out,
    ):
        url = there.url.replace("127.0.0.1", "hooks.example.com")
        await post(way_out, url)
        with way_out._crowd.place(PUBLIC, "another"):
            assert PUBLIC not in await fails(way_out, url, "crowded")
            with pytest.raises(httpx.PoolTimeout):
                await way_out.handle_async_request(httpx.Request("POST", url, content=b"{}"))
        assert (await post(way_out, url)).status == 200
    assert there.connections == len(public_is_local) == 1


async def test_another_address_of_the_name_is_used_while_one_is_crowded(
    public_is_local: list[str],
) -> None:
    async with (
        receiver(answering(OK)) as there,
        transport(Names([PUBLIC, "1.1.1.1"]).lookup, webhook_address_in_flight_max=1) as way_out,
    ):
        url = there.url.replace("127.0.0.1", "hooks.example.com")
        with way_out._crowd.place(PUBLIC, "another"):
            assert (await post(way_out, url)).status == 200
    assert public_is_local == ["1.1.1.1"]
