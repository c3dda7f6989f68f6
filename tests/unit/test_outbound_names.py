"""Names of receivers: every address filtered, the vetted one connected to, lookups bounded."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from headgate.streams.outbound.transport import BlockedAddress, DeliveryFailed, PinnedTransport
from tests.unit.outbound_receiver import (
    OK,
    PUBLIC,
    Names,
    answering,
    fails,
    post,
    receiver,
    transport,
    until,
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


class Server:
    """A name server that is silent about some names, and that can be made to fail."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: list[str] | OSError = ["127.0.0.1"]

    async def lookup(self, host: str, _port: int) -> list[str]:
        self.asked.append(host)
        if host.startswith("silent"):
            await asyncio.Event().wait()
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


def aged(way_out: PinnedTransport, host: str, left_s: float, renew_in_s: float) -> None:
    """Make what is known about a name as old as that."""
    known, now = way_out._resolver._known, asyncio.get_running_loop().time()
    known[host] = known[host]._replace(known_until=now + left_s, renew_at=now + renew_in_s)


async def test_a_name_in_use_is_looked_up_again_before_its_time_and_nobody_waits() -> None:
    names, host = Server(), "hooks.example.com"
    async with receiver(answering(OK)) as there, transport(names.lookup) as way_out:
        url = there.url.replace("127.0.0.1", host)
        await post(way_out, url)
        aged(way_out, host, 20, 1)
        await post(way_out, url)
        assert len(names.asked) == 1
        aged(way_out, host, 20, -1)
        assert (await post(way_out, url)).status == 200
        await until(lambda: len(names.asked) == 2 and not way_out._resolver._running)
        left_s = way_out._resolver._known[host].known_until - asyncio.get_running_loop().time()
        assert left_s > 50


async def test_what_is_known_outlives_a_name_server_that_fails_and_not_one_that_turns() -> None:
    names, host = Server(), "hooks.example.com"
    async with receiver(answering(OK)) as there, transport(names.lookup) as way_out:
        url = there.url.replace("127.0.0.1", host)
        await post(way_out, url)
        names.answer = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        aged(way_out, host, 20, -1)
        for _ in range(3):
            assert (await post(way_out, url)).status == 200
            await until(lambda: not way_out._resolver._running)
        assert len(names.asked) == 2, "and it is not asked for every webhook"
        names.answer = ["10.0.0.1"]
        aged(way_out, host, 20, -1)
        await post(way_out, url)
        await until(lambda: not way_out._resolver._running)
        await fails(way_out, url, "blocked")


async def test_hundreds_of_silent_names_hold_up_none_that_works() -> None:
    names, host = Server(), "hooks.example.com"
    async with (
        receiver(answering(OK)) as there,
        transport(names.lookup, webhook_dns_lookups_max=8) as way_out,
    ):
        url = there.url.replace("127.0.0.1", host)
        await post(way_out, url)
        silent = [f"https://silent{n}.example.com/" for n in range(200)]
        await asyncio.gather(*[fails(way_out, one, "connect_timeout", 50) for one in silent])
        assert len(names.asked) == 1 + 4, "half of the lookups"
        aged(way_out, host, -1, -1)
        assert (await post(way_out, url)).status == 200


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
