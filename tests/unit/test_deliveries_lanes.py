"""Lanes: an endpoint that hangs leaves room for the others."""

from __future__ import annotations

import asyncio

import pytest

from headgate.agents import lanes as module
from headgate.agents.lanes import FAILING_IN_FLIGHT_MAX, FAILURES_MAX, Lanes


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.02)


async def test_an_endpoint_has_its_places_and_no_more() -> None:
    lanes = Lanes(100, 2)
    assert [await lanes.enter("a") for _ in range(3)] == [True, True, False]
    assert await lanes.enter("b")


async def test_who_waits_gets_the_place_that_is_given_back() -> None:
    lanes = Lanes(100, 1)
    assert await lanes.enter("a")
    waiting = asyncio.create_task(lanes.enter("a"))
    await asyncio.sleep(0)
    lanes.leave("a", success=True)
    assert await waiting
    lanes.leave("a", success=True)
    assert lanes._lanes == {}


async def test_a_cancelled_wait_takes_no_place() -> None:
    lanes = Lanes(100, 1)
    assert await lanes.enter("a")
    early, late = (asyncio.create_task(lanes.enter("a")) for _ in range(2))
    await asyncio.sleep(0)
    early.cancel()
    await asyncio.wait({early})
    lanes.leave("a", success=True)
    late.cancel()  # It was given the place in this very turn.
    await asyncio.wait({late})
    assert lanes._lanes == {}


async def test_hanging_endpoints_leave_room_for_the_next_one() -> None:
    lanes = Lanes(64, 32)
    for number in range(50):
        await asyncio.gather(*(lanes.enter(f"hanging {number}") for _ in range(40)))
        if number < 5:
            assert lanes._held < 64
    assert lanes._held <= 64 + 50, "one place each is the least that a lane has"
    assert await lanes.enter("healthy")


async def test_a_failing_endpoint_is_probed_by_a_few_until_one_succeeds() -> None:
    lanes = Lanes(100, 32)
    for _ in range(FAILURES_MAX):
        assert await lanes.enter("a")
        lanes.leave("a", success=False)
    entered = [await lanes.enter("a") for _ in range(10)]
    assert sum(entered) == FAILING_IN_FLIGHT_MAX
    lanes.leave("a", success=True)
    entered = [await lanes.enter("a") for _ in range(10)]
    assert sum(entered) == 10
