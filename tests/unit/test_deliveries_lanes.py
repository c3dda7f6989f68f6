"""Lanes: an endpoint that hangs, fails or is slow leaves room for the others (04 §9.6)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from headgate.agents.lanes import Lanes, Place, Refusal
from headgate.streams.settings import Settings
from headgate.tables.configuration import Endpoint


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def endpoint(endpoint_id: str = "a", **more: object) -> Endpoint:
    known = {
        "id": endpoint_id,
        "merchant_id": "mer_1",
        "mode": "test",
        "is_default": False,
        "url": "https://shop.example/",
        "sealed_secret": "sealed",
        "event_types": ("*",),
        "enabled": True,
    }
    return Endpoint.model_validate(known | more)


def lanes_of(clock: Clock | None = None, **more: int) -> Lanes:
    known = {"webhook_endpoint_in_flight_max": 2, "webhook_lane_wait_ms": 20}
    return Lanes(Settings.model_validate(known | more), clock or Clock())


async def enter(lanes: Lanes, endpoint_id: str = "a") -> Place | Refusal:
    return await lanes.enter(endpoint(endpoint_id), "dlv_1")


async def place_in(lanes: Lanes, endpoint_id: str = "a") -> Place:
    place = await enter(lanes, endpoint_id)
    assert isinstance(place, Place)
    return place


async def test_an_endpoint_has_its_places_and_no_more() -> None:
    lanes = lanes_of()
    for _ in range(2):
        await place_in(lanes)
    assert await enter(lanes) == "soon"
    await place_in(lanes, "b")


async def test_who_waits_gets_the_place_that_is_given_back() -> None:
    lanes = lanes_of(webhook_endpoint_in_flight_max=1)
    first = await place_in(lanes)
    waiting = asyncio.create_task(place_in(lanes))
    await asyncio.sleep(0)
    lanes.leave(first, "reached")
    lanes.leave(await waiting, "reached")
    assert (lanes.of("a").taken, lanes._taken) == (0, 0)


async def test_a_cancelled_wait_takes_no_place() -> None:
    lanes = lanes_of(webhook_endpoint_in_flight_max=1)
    first = await place_in(lanes)
    early, late = (asyncio.create_task(place_in(lanes)) for _ in range(2))
    await asyncio.sleep(0)
    early.cancel()
    lanes.leave(first, "reached")
    late.cancel()  # It was given the place in this very turn.
    await asyncio.wait({early, late})
    assert (lanes.of("a").taken, lanes._taken) == (0, 0)


async def test_hanging_endpoints_leave_room_for_the_next_one() -> None:
    lanes = lanes_of(webhook_in_flight_max=64, webhook_endpoint_in_flight_max=32)
    for number in range(50):
        await asyncio.gather(*(enter(lanes, f"hanging {number}") for _ in range(40)))
        if number < 5:
            assert lanes._taken < 64
    assert lanes._taken <= 64 + 50, "one place each is the least that a lane has"
    await place_in(lanes, "healthy")


async def test_failures_in_a_row_leave_two_places_then_none_but_for_one_probe() -> None:
    clock = Clock()
    lanes = lanes_of(clock, webhook_endpoint_in_flight_max=8)
    places = [await place_in(lanes) for _ in range(8)]
    for place in places[:4]:
        lanes.leave(place, "failed")
    assert lanes.of("a").limit == 2
    lanes.leave(places[4], "failed")
    assert await enter(lanes) == "open"
    clock.now += 30
    probe = await place_in(lanes)
    assert (probe.how, await enter(lanes)) == ("probe", "open")
    lanes.leave(probe, "reached")
    assert (await place_in(lanes)).how == "usual"


async def test_a_breaker_that_opens_sends_away_who_waits() -> None:
    lanes = lanes_of(webhook_breaker_failures_max=1, webhook_endpoint_in_flight_max=1)
    first = await place_in(lanes)
    waiting = asyncio.create_task(enter(lanes))
    await asyncio.sleep(0)
    lanes.leave(first, "failed")
    assert await waiting == "open"
    assert lanes._taken == 0


async def test_what_a_person_asked_for_goes_in_spite_of_the_breaker() -> None:
    clock = Clock()
    lanes = lanes_of(clock, webhook_breaker_failures_max=1)
    lanes.leave(await place_in(lanes), "failed")
    opens_at = lanes.of("a").breaker.probe_at
    for result in ("failed", "reached"):
        place = await lanes.enter(endpoint(), "dlv_1", asked=True)
        assert isinstance(place, Place)
        lanes.leave(place, "failed" if result == "failed" else "reached")
        if result == "failed":
            assert lanes.of("a").breaker.probe_at == opens_at, "its failure delays no probe"
    assert not lanes.of("a").breaker.open, "its success shows that the endpoint is back"


async def test_a_probe_that_tells_nothing_is_followed_by_another_at_once() -> None:
    clock = Clock()
    lanes = lanes_of(clock, webhook_breaker_failures_max=1)
    lanes.leave(await place_in(lanes), "failed")
    clock.now += 30
    for _ in range(3):
        probe = await place_in(lanes)
        assert probe.how == "probe"
        lanes.leave(probe, "unknown")


async def test_a_lane_whose_half_is_slow_is_cut_to_two() -> None:
    clock = Clock()
    lanes = lanes_of(clock, webhook_endpoint_in_flight_max=8)
    for number in range(16):
        place = await place_in(lanes)
        clock.now += 6 if number < 9 else 0.1
        lanes.leave(place, "reached")
    assert lanes.of("a").limit == 2
    place = await place_in(lanes)
    lanes.leave(place, "reached")
    assert lanes.of("a").limit == 8, "eight of sixteen are not more than half"


async def test_the_rate_of_an_endpoint_holds_for_who_waits_too() -> None:
    lanes = Lanes(Settings(webhook_lane_wait_ms=5000))
    limited = endpoint(rate_per_s=20)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(25):
        place = await lanes.enter(limited, "dlv_1")
        assert isinstance(place, Place)
        lanes.leave(place, "reached")
    assert loop.time() - began >= 5 / 20, "a second's worth at once, then twenty a second"


async def test_a_receiver_that_asks_for_less_gets_half() -> None:
    clock = Clock()
    lanes = lanes_of(clock)
    for _ in range(10):
        lanes.leave(await place_in(lanes), "reached")
    lanes.leave(await place_in(lanes), "reached", slow_down=True)
    assert lanes.of("a").bucket.rate(clock.now) == pytest.approx(11 / 2)


async def test_more_than_clears_in_a_moment_is_crowded() -> None:
    clock = Clock()
    lanes = lanes_of(clock, webhook_lane_wait_ms=1000, webhook_endpoint_queue_max=1)
    place = await place_in(lanes)
    clock.now += 0.5
    lanes.leave(place, "reached")  # about 0.1 s each on average: some 20 a second
    places = [await place_in(lanes) for _ in range(2)]
    waiting = asyncio.create_task(enter(lanes))
    await asyncio.sleep(0)
    told = [await enter(lanes) for _ in range(30)]
    assert told.count("soon") in range(15, 22)
    assert told[-1] == "crowded"
    clock.now += 1
    assert await enter(lanes) == "soon", "those have had their chance meanwhile"
    waiting.cancel()
    for one in places:
        lanes.leave(one, "reached")


async def test_lanes_at_rest_are_forgotten_others_are_not() -> None:
    clock = Clock()
    lanes = lanes_of(clock, webhook_breaker_failures_max=1)
    lanes.leave(await place_in(lanes, "quiet"), "reached")
    lanes.leave(await place_in(lanes, "open"), "failed")
    await place_in(lanes, "busy")
    lanes.sweep(unused_s=60)
    assert set(lanes._lanes) == {"quiet", "open", "busy"}
    clock.now += 61
    lanes.sweep(unused_s=60)
    assert set(lanes._lanes) == {"open", "busy"}
