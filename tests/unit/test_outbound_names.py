"""Names of receivers: every address filtered, the vetted one connected to, lookups bounded."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from headgate.streams.outbound.transport import BlockedAddress, DeliveryFailed
from tests.unit.outbound_receiver import (
    OK,
    PUBLIC,
    Names,
    answering,
    fails,
    post,
    receiver,
    transport,
)


async def test_a_name_that_turns_to_this_machine_is_refused(public_is_local: list[str]) -> None:
    """Rebinding: public when the endpoint is saved, loopback when the webhook is sent."""
    names = Names([PUBLIC], ["127.0.0.1"])
    async with (
        receiver(answering(OK)) as there,
        transport(names.lookup, webhook_allow_loopback=False) as way_out,
    ):
        url = there.url.replace("127.0.0.1", "hooks.example.com")
        assert (await post(way_out, url)).status == 200
        assert (await post(way_out, url)).status == 200
        assert names.asked == 1
        way_out._resolver._known.clear()  # as after a minute
        reason = await fails(way_out, url, "blocked")
        assert "127.0.0.1" not in reason
        assert "loopback" not in reason
    assert public_is_local == [PUBLIC]
    assert len(there.requests) == 2


@pytest.mark.parametrize("mixed", [[PUBLIC, "10.0.0.1"], ["::1", PUBLIC], ["fe80::1%2", PUBLIC]])
async def test_one_blocked_answer_refuses_the_name(
    mixed: list[str], public_is_local: list[str]
) -> None:
    """04 §10.2."""
    async with transport(Names(mixed).lookup, webhook_allow_loopback=False) as way_out:
        await fails(way_out, "https://hooks.example.com/", "blocked")
    assert not public_is_local


async def test_the_next_address_is_tried_when_one_refuses(public_is_local: list[str]) -> None:
    async with (
        receiver(answering(OK)) as there,
        transport(Names([PUBLIC, "1.1.1.1"]).lookup) as way_out,
    ):
        url = there.url.replace("127.0.0.1", "hooks.example.com")
        loop = asyncio.get_running_loop()
        connect = loop.create_connection

        async def refuse_first(factory: object, host: str, port: int, **rest: object) -> object:
            if host == PUBLIC:
                public_is_local.append(host)
                raise ConnectionRefusedError
            return await connect(factory, host, port, **rest)  # type: ignore[call-overload]

        loop.create_connection = refuse_first  # type: ignore[assignment]
        assert (await post(way_out, url)).status == 200
    assert public_is_local == [PUBLIC, "1.1.1.1"]


async def test_a_name_that_is_not_found_is_not_looked_up_for_every_webhook() -> None:
    names = Names([])
    async with transport(names.lookup) as way_out:
        for _ in range(3):
            assert "not known" in await fails(way_out, "https://gone.example.com/", "dns")
    assert names.asked == 1


async def test_one_lookup_serves_all_who_wait_for_it_and_none_waits_too_long() -> None:
    asked, answered = 0, asyncio.Event()

    async def slow(_host: str, _port: int) -> list[str]:
        nonlocal asked
        asked += 1
        await answered.wait()
        return ["127.0.0.1"]

    async with receiver(answering(OK)) as there, transport(slow) as way_out:
        url = there.url.replace("127.0.0.1", "slow.example.com")
        await asyncio.gather(*[fails(way_out, url, "connect_timeout", 50) for _ in range(5)])
        answered.set()
        assert (await post(way_out, url)).status == 200
    assert asked == 1


async def test_localhost_is_looked_up_for_real() -> None:
    async with receiver(answering(OK)) as there, transport() as way_out:
        assert (await post(way_out, there.url.replace("127.0.0.1", "localhost"))).status == 200


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://redis:6379/", "ftp://example.com/"])
async def test_a_forbidden_url_is_never_connected_to(url: str, public_is_local: list[str]) -> None:
    async with transport() as way_out:
        await fails(way_out, url, "blocked")
        with pytest.raises(BlockedAddress):
            await way_out.handle_async_request(httpx.Request("POST", url))
    assert not public_is_local


@pytest.mark.parametrize("url", ["http://hooks.example.com/", "https://93.184.215.14/"])
async def test_live_mode_is_asked_again_at_every_attempt(
    url: str, public_is_local: list[str]
) -> None:
    """04 §10.4: a rule that was not there when the endpoint was saved holds all the same."""
    async with transport(Names([PUBLIC]).lookup) as way_out:
        with pytest.raises(DeliveryFailed, match="live mode"):
            await way_out.post(url, b"{}", {}, 1000, livemode=True)
    assert not public_is_local
