"""What cannot go now: held, parked, canceled, probed, and in order (04 §9.6, 08 R28-R32)."""

from __future__ import annotations

import asyncio

import pytest

from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.settings import Settings
from headgate.tables.configuration import Endpoint
from headgate.tables.deliveries import HELD, manual_token, probe_token, successor
from headgate.tables.deliveries_store import Known
from headgate.tables.notices import cancel
from tests.unit.deliver_setting import ENDPOINT, SETTINGS, WANTED, House, answer

IN_ORDER = ENDPOINT.model_copy(update={"fifo": True})
BLOCKING = IN_ORDER.model_copy(update={"fifo_blocks": True})
FAILING = SETTINGS.model_copy(update={"webhook_breaker_failures_max": 1})


def one(number: int) -> DeliveryWanted:
    named = {"delivery_id": f"dlv_{number}", "token": f"dlv_{number}.1"}
    return WANTED.model_copy(update=named)


def asked(of: DeliveryWanted = WANTED) -> DeliveryWanted:
    token = manual_token(of.delivery_id, "nonce")
    return of.model_copy(update={"token": token, "manual": True})


def told(house: House) -> list[tuple[str, str, int]]:
    return [(notice.what, notice.why, notice.hold) for notice in house.log.notices()]


async def begun(house: House, wanted: DeliveryWanted) -> asyncio.Task[None]:
    """An attempt that the receiver lets wait."""
    house.receiver.gate.clear()
    task = asyncio.create_task(house.handle(wanted))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(house.receiver.posts) == 1
    return task


async def failing(house: House) -> None:
    """The breaker of the endpoint is open."""
    house.receiver.answers = [answer(500)]
    await house.handle(one(99))
    house.log.publishes.clear()
    house.receiver.posts.clear()


async def test_an_open_breaker_holds_and_counts_no_attempt() -> None:
    house = House(settings=FAILING)
    await failing(house)
    await house.handle(headers={HELD: b"4"})
    (notice,) = house.log.notices()
    assert (notice.what, notice.why, notice.hold, notice.position) == ("held", "open", 5, 8)
    assert (notice.wanted.token, notice.wanted.body) == (WANTED.token, WANTED.body)
    assert (house.receiver.posts, house.log.attempts(), house.log.later()) == ([], [], [])


async def test_a_probe_that_fails_is_shown_and_uses_up_no_try_08_r29() -> None:
    house = House(settings=FAILING)
    await failing(house)
    house.clock.now += 30
    house.receiver.answers = [answer(503)]
    await house.handle(headers={HELD: b"1"})
    (publish,) = house.log.publishes
    assert len(publish) == 2, "both or, after a crash, both again"
    (made,) = house.log.attempts()
    assert (made.probe, made.token, made.next_attempt) == (True, probe_token(WANTED, 2), None)
    assert told(house) == [("held", "open", 2)]
    house.clock.now += 60
    await house.handle(headers={HELD: b"2"})
    assert house.log.attempts()[-1].kind == "success"
    assert house.log.attempts()[-1].token == WANTED.token


async def test_a_probe_that_is_refused_by_the_receiver_counts_as_the_attempt() -> None:
    house = House(settings=FAILING)
    await failing(house)
    house.clock.now += 30
    house.receiver.answers = [answer(400)]
    await house.handle()
    (made,) = house.log.attempts()
    assert (made.probe, made.kind, made.next_attempt) == (False, "rejected", 2)
    assert not house.lanes.of("ep_1").breaker.open, "it answered"


async def test_a_disabled_endpoint_parks_08_r31() -> None:
    house = House(ENDPOINT.model_copy(update={"enabled": False}))
    await house.handle()
    assert told(house) == [("parked", "disabled", 1)]
    await house.handle(asked())
    (made,) = house.log.attempts()
    assert (made.kind, made.manual, made.next_attempt) == ("blocked", True, None)
    assert "disabled" in (made.error or "")
    assert house.receiver.posts == []


async def test_a_deleted_endpoint_cancels_08_r31() -> None:
    house = House(ENDPOINT.model_copy(update={"enabled": False, "deleted": True}))
    await house.handle()
    assert told(house) == [("canceled", "deleted", 1)]
    assert (house.receiver.posts, house.log.attempts()) == ([], [])


async def test_410_is_passed_on_to_who_disables() -> None:
    house, gone = House(), list[Endpoint]()
    house.deliver.on_gone.append(gone.append)
    house.receiver.answers = [answer(410)]
    await house.handle()
    assert gone == [ENDPOINT]
    assert house.log.attempts()[0].next_attempt is None


async def test_cancel_wins_over_the_attempt_under_way_and_over_timers_08_r28() -> None:
    house = House()
    task = await begun(house, WANTED)
    await house.command(cancel(WANTED, "nonce", SETTINGS))
    assert told(house) == [("canceled", "asked", 1)]
    house.receiver.answers = [answer(500)]
    house.receiver.gate.set()
    await task
    assert [made.next_attempt for made in house.log.attempts()] == [None]
    await house.handle(successor(WANTED, 2, 0).wanted)
    assert (len(house.receiver.posts), house.store.asked) == (1, 0)
    house.restart()
    house.store.known_by_token = {"dlv_1.2": Known(delivered=True)}
    await house.handle(successor(WANTED, 2, 0).wanted)
    assert len(house.receiver.posts) == 1, "another process asks PostgreSQL"


async def test_cancel_wins_over_what_waits_for_a_place() -> None:
    patient = SETTINGS.model_copy(
        update={"webhook_endpoint_in_flight_max": 1, "webhook_lane_wait_ms": 10_000}
    )
    house = House(settings=patient)
    first = await begun(house, one(1))
    second = asyncio.create_task(house.handle(one(2)))
    await asyncio.sleep(0)
    await house.command(cancel(one(2), "nonce", SETTINGS))
    house.receiver.gate.set()
    await asyncio.gather(first, second)
    assert [made.delivery_id for made in house.log.attempts()] == ["dlv_1"]
    assert house.lanes.of("ep_1").taken == 0


async def test_what_a_person_asks_for_after_a_cancel_is_done() -> None:
    house = House()
    await house.command(cancel(WANTED, "nonce", SETTINGS))
    await house.handle(asked())
    assert [made.kind for made in house.log.attempts()] == ["success"]


async def test_two_cancels_are_two_commands_08_r28() -> None:
    house = House()
    for nonce in ("a", "b", "b"):
        await house.command(cancel(WANTED, nonce, SETTINGS))
    assert len(house.log.notices()) == 2


async def test_a_stale_failure_after_a_retry_that_arrived_schedules_nothing_08_r28() -> None:
    house = House()
    task = await begun(house, WANTED)
    held_up, house.receiver.gate = house.receiver.gate, asyncio.Event()
    house.receiver.gate.set()
    await house.handle(asked())
    house.receiver.answers = [answer(500)]
    held_up.set()
    await task
    told = [(made.manual, made.kind, made.next_attempt) for made in house.log.attempts()]
    assert told == [(True, "success", None), (False, "failed", None)]
    assert house.log.later() == []


async def test_a_failed_retry_lets_the_schedule_go_on_08_r28() -> None:
    house = House()
    house.receiver.answers = [answer(500), answer(500), answer(500)]
    await house.handle()
    await house.handle(asked())
    await house.handle(successor(WANTED, 2, 0).wanted)
    tries = [(made.manual, made.attempt, made.next_attempt) for made in house.log.attempts()]
    assert tries == [(False, 1, 2), (True, 1, None), (False, 2, 3)]


async def test_where_the_order_matters_nothing_goes_that_was_not_released_08_r32() -> None:
    house = House(IN_ORDER)
    await house.handle()
    assert told(house) == [("held", "fifo", 1)]
    assert house.log.notices()[0].fifo
    assert house.receiver.posts == []


async def run(house: House, *numbers: int) -> None:
    """Release these and let them arrive together."""
    house.lanes.of("ep_1").run.begin([f"dlv_{number}" for number in numbers])
    released = [house.handle(one(number), headers={HELD: b"1"}) for number in numbers]
    await asyncio.gather(*released)


async def test_a_run_goes_one_after_the_other_08_r32() -> None:
    house = House(IN_ORDER, SETTINGS.model_copy(update={"webhook_lane_wait_ms": 10_000}))
    house.receiver.gate.clear()
    going = asyncio.create_task(run(house, 1, 2, 3))
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(house.receiver.posts) == 1
    house.receiver.gate.set()
    await going
    assert [made.delivery_id for made in house.log.attempts()] == ["dlv_1", "dlv_2", "dlv_3"]
    assert house.lanes.of("ep_1").run.head is None


async def test_a_head_that_fails_holds_those_behind_it_until_it_arrives_08_r32() -> None:
    house = House(IN_ORDER, SETTINGS.model_copy(update={"webhook_lane_wait_ms": 10_000}))
    house.receiver.answers = [answer(500)]
    await run(house, 1, 2, 3)
    assert [made.delivery_id for made in house.log.attempts()] == ["dlv_1"]
    assert told(house) == [("held", "fifo", 2)] * 2
    await house.handle(one(4))
    assert told(house)[-1] == ("held", "fifo", 1)
    await house.handle(successor(one(1), 2, 0).wanted)
    assert [made.attempt for made in house.log.attempts()] == [1, 2]
    assert house.lanes.of("ep_1").run.head is None, "the next run may begin"


@pytest.mark.parametrize("endpoint", [IN_ORDER, BLOCKING])
async def test_an_exhausted_head_is_passed_or_blocks_as_the_endpoint_wants_08_r32(
    endpoint: Endpoint,
) -> None:
    house = House(endpoint)
    house.receiver.answers = [answer(500)]
    house.lanes.of("ep_1").run.begin(["dlv_1"])
    await house.handle(one(1).model_copy(update={"attempt": 5, "token": "dlv_1.5"}))
    blocks = endpoint is BLOCKING
    assert told(house) == ([("blocked", "exhausted", 1)] if blocks else [])
    assert house.lanes.of("ep_1").run.head == ("dlv_1" if blocks else None)
    await house.handle(asked(one(1)))
    if blocks:
        assert house.lanes.of("ep_1").run.head is None, "it has arrived after all"
        assert house.log.attempts()[-1].kind == "success"


async def test_a_head_that_is_canceled_lets_the_next_one_go() -> None:
    house = House(IN_ORDER)
    house.lanes.of("ep_1").configure(IN_ORDER)
    house.lanes.of("ep_1").run.begin(["dlv_1", "dlv_2"])
    await house.command(cancel(one(1), "nonce", SETTINGS))
    assert house.lanes.of("ep_1").run.head == "dlv_2"
    await house.handle(one(2), headers={HELD: b"1"})
    assert [made.delivery_id for made in house.log.attempts()] == ["dlv_2"]


async def test_another_process_overtakes_nothing_08_r32() -> None:
    house = House(IN_ORDER)
    house.receiver.answers = [answer(500)]
    await run(house, 1)
    house.restart()
    await house.handle(successor(one(1), 2, 0).wanted)
    await house.handle(one(2), headers={HELD: b"1"})
    assert [made.attempt for made in house.log.attempts()] == [1]
    assert [notice.wanted.token for notice in house.log.notices()] == ["dlv_1.2", "dlv_2.1"]


async def test_what_waits_for_its_turn_for_too_long_is_held_with_those_behind_it() -> None:
    house = House(IN_ORDER, Settings(webhook_lane_wait_ms=1))
    house.lanes.of("ep_1").run.begin(["dlv_1", "dlv_2", "dlv_3"])
    first = await begun(house, one(1))
    await asyncio.gather(*(house.handle(one(n), headers={HELD: b"1"}) for n in (2, 3)))
    assert told(house) == [("held", "fifo", 2)] * 2
    house.receiver.gate.set()
    await first
    assert house.lanes.of("ep_1").run.head is None
