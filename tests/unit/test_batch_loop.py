"""Batches: acknowledged last, retried whole, ended by a lost claim, bounded in a revoke."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import chain

import pytest

from headgate.streams.engine import batch as engine
from headgate.streams.engine.batch import Batch
from headgate.streams.engine.claims import EXIT_BUG, EXIT_CLAIM_LOST, EXIT_SUPERSEDED
from headgate.streams.errors import ClaimLost, LogUnavailable, StoreUnavailable
from headgate.streams.settings import Settings
from tests.unit.batch_setting import QUICK, BatchSetting
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
async def here(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BatchSetting]:
    monkeypatch.setattr(engine, "IDLE_S", 0.02)
    setting = BatchSetting()
    yield setting
    await setting.stop()


async def test_what_waits_is_one_batch_and_acknowledged_when_the_handler_is_done(
    here: BatchSetting,
) -> None:
    records = events(range(5))
    gate = asyncio.Event()

    async def work(batch: Batch) -> None:
        await gate.wait()
        assert all(one.acked == 0 for one in records)

    here.work = work
    here.stream.push(*records)
    await own(here.owner, 0)
    here.start()
    await until(lambda: here.batches)
    gate.set()
    await until(lambda: here.loop.done == 5)
    assert list(chain(*here.batches)) == [0, 1, 2, 3, 4]
    assert all(one.acked == 1 for one in records)


async def test_nothing_is_worked_on_before_the_claims_are_taken(here: BatchSetting) -> None:
    here.start()
    here.stream.push(*events(range(3)))
    await asyncio.sleep(0.01)
    assert here.batches == []
    await own(here.owner, 0)
    await until(lambda: here.loop.done == 3)


async def test_a_batch_has_its_limit_and_its_claims(here: BatchSetting) -> None:
    claims = await own(here.owner, 0, 1)
    seen: list[Batch] = []

    async def work(batch: Batch) -> None:
        seen.append(batch)

    here.work = work
    here.stream.push(*events(range(12)), *events(range(12), partition=1))
    here.start()
    await until(lambda: here.loop.done == 24)
    assert max(len(batch.records) for batch in seen) <= QUICK.batch_max
    for batch in seen:
        assert batch.claims == {r.partition: claims[r.partition] for r in batch.records}
    assert seen[-1].positions()[1] == 12


async def test_a_record_after_a_pause_waits_for_nothing_and_the_next_ones_gather() -> None:
    """ADR 0026."""
    here = BatchSetting(Settings(batch_max=10, batch_every_ms=1000))
    await own(here.owner, 0)
    here.start()
    clock = asyncio.get_running_loop().time
    began = clock()
    await here.give(event(0))
    here.stream.push(event(1))
    await asyncio.sleep(0.01)
    assert here.batches == [[0]], "the second batch began too early"
    here.stream.push(event(2), event(3))
    await until(lambda: here.loop.done == 4)
    assert here.batches == [[0], [1, 2, 3]]
    assert clock() - began >= 1
    await here.stop()


async def test_a_full_batch_waits_for_nothing() -> None:
    here = BatchSetting(Settings(batch_max=10, batch_every_ms=60_000))
    await own(here.owner, 0)
    here.start()
    await here.give(event(0))
    here.stream.push(*events(range(1, 31)))
    await until(lambda: here.loop.done == 31)
    assert [len(batch) for batch in here.batches] == [1, 10, 10, 10]
    await here.stop()


async def test_halves_keep_order_and_claims(here: BatchSetting) -> None:
    halves: list[Batch] = []

    async def work(batch: Batch) -> None:
        halves.extend(batch.split())

    here.work = work
    claims = await own(here.owner, 0)
    here.stream.push(*events(range(5)))
    here.start()
    await until(lambda: here.loop.done == 5)
    assert [[r.offset for r in half.records] for half in halves] == [[0, 1], [2, 3, 4]]
    assert [half.positions() for half in halves] == [{0: 2}, {0: 5}]
    assert all(half.claims == claims for half in halves)


async def test_an_outage_brings_the_same_batch_again_in_place(here: BatchSetting) -> None:
    """00 A4: no process exits because a dependency is away."""
    errors = [StoreUnavailable("PostgreSQL is away"), LogUnavailable("Kafka is away")]
    reasons: list[str | None] = []

    async def work(batch: Batch) -> None:
        reasons.append(here.loop.waiting_for)
        if errors:
            raise errors.pop(0)

    here.work = work
    await own(here.owner, 0)
    records = events(range(3))
    here.stream.push(*records)
    here.start()
    await until(lambda: here.loop.done == 3)
    assert here.batches == [[0, 1, 2]] * 3
    assert reasons == [None, "PostgreSQL is away", "Kafka is away"]
    assert here.loop.waiting_for is None
    assert all(one.acked == 1 for one in records)


async def test_positions_follow_the_work_and_are_saved_when_idle(here: BatchSetting) -> None:
    claims = await own(here.owner, 0)
    here.start()
    await here.give(*events(range(4)))
    assert (claims[0].next_offset, claims[0].published_offset) == (4, 4)
    await until(lambda: here.store.published(0) == 4)


async def test_a_lost_claim_ends_the_process_with_nothing_acknowledged(
    here: BatchSetting, leaving: list[int]
) -> None:
    """00 A5: a refused fence publishes nothing, acknowledges nothing, exit 75."""

    async def work(batch: Batch) -> None:
        raise ClaimLost("taken over")

    here.work = work
    await own(here.owner, 0)
    records = events(range(3))
    here.stream.push(*records)
    with pytest.raises(Left):
        await here.start()
    assert leaving == [EXIT_CLAIM_LOST]
    assert all(one.acked == 0 for one in records)
    assert here.store.published(0) == 0


async def test_a_claim_lost_to_a_newer_process_of_our_id_ends_it_for_good(
    here: BatchSetting, leaving: list[int]
) -> None:
    async def work(batch: Batch) -> None:
        await own(ownership(here.store), 0)
        raise ClaimLost("taken over")

    here.work = work
    await own(here.owner, 0)
    here.stream.push(event(0))
    with pytest.raises(Left):
        await here.start()
    assert leaving == [EXIT_SUPERSEDED]


async def test_a_claim_that_is_found_lost_while_saving_ends_the_process_too(
    here: BatchSetting, leaving: list[int]
) -> None:
    await own(here.owner, 0)
    running = here.start()
    await here.give(event(0))
    await own(ownership(here.store, instance_id="headgate/settle/1"), 0)
    here.store.rows[TOPIC, 0].published_offset = 0
    here.stream.push(event(1))
    with pytest.raises(Left):
        await running
    assert leaving == [EXIT_CLAIM_LOST]


async def test_a_bug_ends_the_process_with_nothing_acknowledged(
    here: BatchSetting, leaving: list[int]
) -> None:
    """A dead loop in a live process would be silent; the records come again after the restart."""

    async def work(batch: Batch) -> None:
        raise KeyError("bug")

    here.work = work
    await own(here.owner, 0)
    record = event(0)
    here.stream.push(record)
    with pytest.raises(Left):
        await here.start()
    assert leaving == [EXIT_BUG]
    assert record.acked == 0


async def test_records_lost_on_the_way_are_read_again_when_nothing_arrives(
    here: BatchSetting,
) -> None:
    await own(here.owner, 0)
    here.start()
    await here.give(*events(range(2)))
    here.source.ends = {0: 3}
    await until(lambda: (0, 2) in here.source.rewinds)


async def test_a_hole_between_records_is_read_again_at_once(here: BatchSetting) -> None:
    await own(here.owner, 0)
    here.start()
    here.stream.push(*events([0, 3]))
    await until(lambda: here.source.rewinds == [(0, 1)])
    await here.give(*events([1, 2, 3]))
    assert list(chain(*here.batches)) == [0, 1, 2, 3]


async def test_an_outage_while_idle_does_not_end_the_loop(here: BatchSetting) -> None:
    await own(here.owner, 0)
    here.start()
    await here.give(event(0))
    here.store.away = here.source.away = True
    here.stream.push(event(5))
    await asyncio.sleep(0.05)
    here.store.away = here.source.away = False
    await here.give(*events([1, 2]))
    await until(lambda: here.store.published(0) == 3)
