"""Events: each once and in order, by pages and by stream, whatever is written or dies meanwhile."""

from __future__ import annotations

import asyncio
import signal
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from headgate.embedded.stack import Stack
from tests.system.harness_commands import publishing
from tests.system.harness_edge import other_merchant, running_edge, settling, with_demo
from tests.system.harness_events import EVENTS, STREAM, viewing
from tests.system.harness_place import Place, opened
from tests.system.harness_reading import Shop

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


async def shop_of(place: Place) -> Shop:
    """The demo merchant's shop."""
    return Shop(place, (await place.rows("select id from merchants"))[0]["id"])


async def told(place: Place) -> list[str]:
    """The ids of all facts."""
    return [row["event_id"] for row in await place.rows("select event_id from facts")]


def check_order(events: list[dict[str, Any]]) -> None:
    """Per payment the sequences come in order, without a gap."""
    reached: dict[str, int] = defaultdict(int)
    for event in events:
        payment = event["data"]["payment"]["id"]
        assert event["sequence"] == reached[payment] + 1
        reached[payment] = event["sequence"]


async def test_pages_of_events_miss_and_repeat_nothing_while_settle_writes_08_r17(
    stack: Stack, tmp_path: Path
) -> None:
    async with (
        opened(stack) as place,
        settling(await with_demo(place), tmp_path),
        running_edge(place, tmp_path) as edge,
        publishing(place.settings) as bus,
    ):
        shop = await shop_of(place)
        neighbour = Shop(place, "mer_other")
        done = False

        async def write() -> None:
            nonlocal done
            for number in range(25):
                payment = shop.create(number, manual=True)
                shop.capture(payment, 5)
                neighbour.create(number)
                await neighbour.settle(bus)
                await shop.settle(bus)
            done = True

        async def follow(limit: int, **query: str) -> list[dict[str, Any]]:
            seen: list[dict[str, Any]] = []
            after, last = "genesis", False
            while True:
                last = done
                page = (await edge.get(EVENTS, after=after, limit=str(limit), **query)).json()
                seen += page["data"]
                after = page["next_cursor"]
                if last and not page["has_more"]:
                    return seen

        some = {"types[]": "capture.created"}
        _, *found = await asyncio.gather(write(), follow(1), follow(7), follow(3, **some))
        mine = "select event_id from facts join payments on id = payment_id where merchant_id = $1"
        wanted = {row["event_id"] for row in await place.rows(mine, shop.merchant_id)}
        for seen in found[:2]:
            assert len(seen) == len(wanted)
            assert {event["id"] for event in seen} == wanted
            check_order(seen)
        assert [event["type"] for event in found[2]] == ["capture.created"] * 25
        assert len({event["id"] for event in found[2]}) == 25
        first = found[0][0]["data"]["payment"]["id"]
        about = (await edge.get(EVENTS, object=first, limit="100")).json()["data"]
        assert {event["data"]["payment"]["id"] for event in about} == {first}
        child = next(
            event["data"]["capture"]["id"] for event in about if "capture" in event["data"]
        )
        about = (await edge.get(EVENTS, object=child)).json()["data"]
        assert [event["type"] for event in about] == ["capture.created", "capture.succeeded"]


async def test_the_bytes_of_an_event_are_the_facts_own(stack: Stack, tmp_path: Path) -> None:
    """08 R9: no cursor and no offset inside, in the list, alone and on the stream."""
    async with (
        opened(stack) as place,
        settling(await with_demo(place), tmp_path),
        running_edge(place, tmp_path) as edge,
        publishing(place.settings) as bus,
    ):
        shop = await shop_of(place)
        async with viewing(edge, after="") as viewer:
            shop.create(1)
            await shop.settle(bus)
            stored = {
                row["event_id"]: row["payload"] for row in await place.rows("select * from facts")
            }
            await viewer.until_seen(len(stored))
            for block in viewer.events:
                assert (block.data or "").encode() == stored[block.told["id"]]
                assert block.event == block.told["type"]
        listed = await edge.get(EVENTS, limit="100")
        for event_id, payload in stored.items():
            assert payload in listed.content
            assert (await edge.get(f"{EVENTS}/{event_id}")).content == payload
        missing = await edge.get(f"{EVENTS}/evt_{'a' * 26}")
        assert missing.json()["code"] == "resource_missing"


async def test_a_stream_goes_on_behind_the_last_event_after_the_edge_was_killed_08_r17(
    stack: Stack, tmp_path: Path
) -> None:
    async with (
        opened(stack) as place,
        settling(await with_demo(place), tmp_path),
        publishing(place.settings) as bus,
    ):
        shop = await shop_of(place)
        seen: list[str] = []
        last_id: str | None = None
        for number in range(3):
            async with running_edge(place, tmp_path) as edge:
                headers = {} if last_id is None else {"Last-Event-ID": last_id}
                # The first stream begins with what is new; its cursor comes before any event.
                async with viewing(edge, headers) as viewer:
                    await viewer.until_begun()
                    payment = shop.create(number, manual=True)
                    shop.capture(payment, 5)
                    await shop.settle(bus)
                    await viewer.until_seen(1)
                    edge.send(signal.SIGKILL)
                    await edge.ended()
                    await viewer.until_over()
                    seen += viewer.seen
                    last_id = viewer.last_id
            shop.create(100 + number)
            await shop.settle(bus)
        async with running_edge(place, tmp_path) as edge:
            assert last_id is not None
            async with viewing(edge, {"Last-Event-ID": last_id}) as viewer:
                await viewer.until_seen(len(await told(place)) - len(seen))
                seen += viewer.seen
        assert len(seen) == len(set(seen))
        assert set(seen) == set(await told(place))


async def test_a_cursor_that_leads_nowhere_is_told_never_jumped_over_08_r17(
    stack: Stack, tmp_path: Path
) -> None:
    async with (
        opened(stack) as place,
        running_edge(await with_demo(place), tmp_path) as edge,
        publishing(place.settings) as bus,
    ):
        shop = await shop_of(place)
        payment = shop.create(1, manual=True)
        shop.capture(payment, 5)
        async with settling(place, tmp_path):
            await shop.settle(bus)
        ahead = (await edge.get(EVENTS, limit="100")).json()["next_cursor"]
        await place.rows("update claims set next_offset = 1 where next_offset > 1")
        for bad in ("abc", ahead[:-3], ahead):
            refused = await edge.get(EVENTS, after=bad)
            assert (refused.status_code, refused.json()["param"]) == (400, "after")
            async with viewing(edge, {"Last-Event-ID": bad}) as viewer:
                await viewer.until(lambda v: any(b.event == "reset" for b in v.blocks), "a reset")
                reset = next(block for block in viewer.blocks if block.event == "reset")
                assert reset.told["cursor"] == reset.id
                oldest = (await edge.get(EVENTS, after=reset.id or "", limit="1")).json()
                assert oldest["data"][0]["sequence"] == 1
        for query in ({"types[]": "payment.paid"}, {"object": "x"}, {"type[]": "a"}):
            refused = await edge.get(STREAM, **query)
            assert (refused.status_code, refused.json()["code"]) == (400, "parameter_invalid")
        assert (await edge.client.head(STREAM)).status_code == 200


async def test_viewers_have_a_bound_of_their_own_and_leave_when_the_edge_stops(
    stack: Stack, tmp_path: Path
) -> None:
    async with (
        opened(stack) as place,
        settling(await with_demo(place), tmp_path),
        running_edge(
            place,
            tmp_path,
            HEADGATE_EVENTS_VIEWERS_MAX="2",
            HEADGATE_REQUESTS_IN_FLIGHT_MAX="1",
        ) as edge,
        publishing(place.settings) as bus,
    ):
        shop = await shop_of(place)
        theirs = await other_merchant(place)
        async with viewing(edge, types="payment.success") as viewer, viewing(edge, theirs) as other:
            full = await edge.get(STREAM)
            assert (full.status_code, full.json()["code"]) == (503, "overloaded")
            assert full.headers["Retry-After"]
            # A request is answered although two streams are open and only one may be in flight.
            assert (await edge.get(EVENTS)).status_code == 200
            assert "headgate_event_viewers 2.0" in (await edge.get("/metrics")).text
            shop.create(1)
            await shop.settle(bus)
            await viewer.until_seen(1)
            assert [block.event for block in viewer.events] == ["payment.success"]
            assert other.events == []
            edge.send(signal.SIGTERM)
            assert await edge.ended() == 0
            await viewer.until_over()


async def test_a_stream_outlives_a_database_that_is_away(own_stack: Stack, tmp_path: Path) -> None:
    """00 A4: a comment tells it, and nothing is lost."""
    async with (
        opened(own_stack) as place,
        settling(await with_demo(place), tmp_path),
        running_edge(place, tmp_path) as edge,
        publishing(place.settings) as bus,
    ):
        shop = await shop_of(place)
        async with viewing(edge) as viewer:
            await viewer.until_begun()
            await asyncio.to_thread(own_stack.kill, "postgres")
            assert (await edge.get(EVENTS)).json()["code"] == "store_unavailable"
            await asyncio.to_thread(own_stack.start, "postgres")
            shop.create(1)
            await shop.settle(bus)
            wanted = await told(place)
            await viewer.until_seen(len(wanted))
            assert sorted(viewer.seen) == sorted(wanted)
            assert not viewer.ended
