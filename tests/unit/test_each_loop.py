"""Records one by one, many at once: acknowledged out of order, saved as far as there is no gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.streams.engine import each as engine
from headgate.streams.engine.claims import EXIT_BUG, EXIT_CLAIM_LOST
from headgate.streams.engine.each import Prefix
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import LogUnavailable
from tests.unit.each_setting import EachSetting
from tests.unit.fakes import (
    TOPIC,
    Left,
    event,
    events,
    own,
    ownership,
    until,
)


@pytest.fixture
async def here(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EachSetting]:
    monkeypatch.setattr(engine, "IDLE_S", 0.02)
    monkeypatch.setattr(engine, "SAVE_INTERVAL_S", 0.01)
    setting = EachSetting()
    yield setting
    await setting.stop()


# The prefix


@given(st.permutations(range(20)))
def test_a_prefix_grows_only_without_gaps(order: list[int]) -> None:
    prefix, done = Prefix(0), set[int]()
    for offset in order:
        prefix.finish(offset)
        done.add(offset)
        assert prefix.next_offset == next(n for n in range(21) if n not in done)


def test_a_prefix_begins_where_the_work_began_and_ignores_repeats() -> None:
    prefix = Prefix(10)
    for offset in (12, 10, 10, 9):
        prefix.finish(offset)
    assert prefix.next_offset == 11
    prefix.finish(11)
    assert prefix.next_offset == 13


# The loop


async def test_a_slow_record_holds_up_nobody_and_each_is_acknowledged_when_it_ends(
    here: EachSetting,
) -> None:
    records = events(range(4))
    here.hold(0)
    await own(here.owner, 0)
    here.start()
    here.stream.push(*records)
    await until(lambda: here.loop.done == 3)
    assert [one.acked for one in records] == [0, 1, 1, 1]
    here.gates[0].set()
    await until(lambda: records[0].acked == 1)


async def test_what_is_saved_is_the_contiguous_prefix(here: EachSetting) -> None:
    """A crash must bring every unfinished record again, so the position waits for the slowest."""
    here.hold(1)
    claims = await own(here.owner, 0)
    here.start()
    here.stream.push(*events(range(4)))
    await until(lambda: here.loop.done == 3 and here.store.published(0) == 1)
    here.gates[1].set()
    await until(lambda: here.store.published(0) == 4)
    assert claims[0].saved_offset == 4


async def test_what_retention_removed_under_a_live_loop_does_not_hold_the_position_back(
    here: EachSetting,
) -> None:
    """08 R4: records 3 to 39 are gone; the prefix goes on once nothing before them is in flight."""
    here.hold(2)
    claims = await own(here.owner, 0)
    here.start()
    here.stream.push(*events(range(3)))
    await until(lambda: here.store.published(0) == 2)
    here.source.starts = {0: 40}
    here.stream.push(event(40))
    await until(lambda: (0, 40) in here.source.rewinds)
    here.stream.push(*events([40, 41]))
    await until(lambda: here.loop.done == 4)
    await asyncio.sleep(0.03)
    assert here.store.published(0) == 2
    here.gates[2].set()
    await until(lambda: here.store.published(0) == 42)
    assert claims[0].saved_offset == 42
    assert not here.loop._prefixes[0].finished


async def test_positions_that_did_not_move_are_not_saved(here: EachSetting) -> None:
    await own(here.owner, 0)
    here.start()
    here.stream.push(event(0))
    await until(lambda: here.store.published(0) == 1)
    here.store.rows[TOPIC, 0].published_offset = 0
    await asyncio.sleep(0.05)
    assert here.store.published(0) == 0


async def test_only_so_many_are_in_flight(here: EachSetting) -> None:
    here.hold(*range(10))
    await own(here.owner, 0)
    here.start()
    here.stream.push(*events(range(10)))
    await until(lambda: len(here.begun) == 4)
    await asyncio.sleep(0.01)
    assert here.begun == [0, 1, 2, 3]
    here.gates[2].set()
    await until(lambda: here.begun[-1] == 4)
    for gate in here.gates.values():
        gate.set()
    await until(lambda: here.loop.done == 10)


async def test_records_that_an_earlier_owner_may_have_seen_are_marked() -> None:
    here = EachSetting(ends={0: 2})
    await own(here.owner, 0)
    here.start()
    here.stream.push(*events(range(4)))
    await until(lambda: here.loop.done == 4)
    assert sorted(here.redelivered) == [0, 1]
    await here.stop()


async def test_an_outage_brings_the_record_again_in_place(here: EachSetting) -> None:
    errors = [LogUnavailable("Kafka is away"), LogUnavailable("Kafka is away")]
    seen: list[str | None] = []

    async def work(record: Delivered) -> None:
        seen.append(here.loop.waiting_for)
        if errors:
            raise errors.pop(0)

    here.work = work
    await own(here.owner, 0)
    here.start()
    record = event(0)
    here.stream.push(record)
    await until(lambda: here.loop.done == 1)
    assert here.begun == [0, 0, 0]
    assert seen == [None, "Kafka is away", "Kafka is away"]
    assert here.loop.waiting_for is None
    assert record.acked == 1


async def test_a_bug_in_a_handler_ends_the_process_unacknowledged(
    here: EachSetting, leaving: list[int]
) -> None:
    async def work(record: Delivered) -> None:
        raise KeyError("bug")

    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    here.work = work
    await own(here.owner, 0)
    here.start()
    record = event(0)
    here.stream.push(record)
    await until(lambda: leaving)
    assert leaving == [EXIT_BUG]
    assert record.acked == 0


async def test_a_bug_in_the_loop_ends_the_process(
    here: EachSetting, leaving: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise KeyError("bug")

    monkeypatch.setattr(here.loop, "_save", broken)
    await own(here.owner, 0)
    with pytest.raises(Left):
        await here.start()
    assert leaving == [EXIT_BUG]


async def test_a_claim_found_lost_while_saving_ends_the_process(
    here: EachSetting, leaving: list[int]
) -> None:
    await own(here.owner, 0)
    running = here.start()
    await own(ownership(here.store, instance_id="headgate/acquire/1"), 0)
    here.stream.push(event(0))
    with pytest.raises(Left):
        await running
    assert leaving == [EXIT_CLAIM_LOST]
    assert here.store.published(0) == 0


async def test_saving_waits_for_a_store_that_is_away(here: EachSetting) -> None:
    await own(here.owner, 0)
    here.start()
    here.store.away = True
    here.stream.push(event(0))
    await until(lambda: here.loop.done == 1)
    await asyncio.sleep(0.03)
    here.store.away = False
    await until(lambda: here.store.published(0) == 1)


async def test_lost_records_are_read_again_when_nothing_arrives(here: EachSetting) -> None:
    await own(here.owner, 0)
    here.start()
    here.stream.push(*events(range(2)))
    await until(lambda: here.loop.done == 2)
    here.source.ends = {0: 5}
    await until(lambda: (0, 2) in here.source.rewinds)


async def test_a_hole_is_read_again_at_once_also_after_kafka_was_away(here: EachSetting) -> None:
    await own(here.owner, 0)
    here.start()
    here.source.away = True
    here.stream.push(event(2))
    await asyncio.sleep(0.01)
    here.source.away = False
    here.stream.push(event(3))
    await until(lambda: (0, 0) in here.source.rewinds)
    here.stream.push(*events(range(4)))
    await until(lambda: here.loop.done == 4)
