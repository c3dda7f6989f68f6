"""What a batch loop owes a revoke: it ends or cancels its batch in time and lets go (08 R5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from headgate.streams.engine import batch as engine
from headgate.streams.engine.batch import Batch
from headgate.streams.errors import StoreUnavailable
from tests.unit.batch_setting import BatchSetting
from tests.unit.fakes import TOPIC, event, events, own, until


@pytest.fixture
async def here(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BatchSetting]:
    monkeypatch.setattr(engine, "IDLE_S", 0.02)
    setting = BatchSetting()
    yield setting
    await setting.stop()


async def test_a_revoke_waits_for_the_batch_in_flight(here: BatchSetting) -> None:
    """08 R5, the good case: the batch ends, is acknowledged, and then the claims go."""
    gate = asyncio.Event()

    async def work(batch: Batch) -> None:
        await gate.wait()

    here.work = work
    await own(here.owner, 0)
    record = event(0)
    here.stream.push(record)
    here.start()
    await until(lambda: here.batches)
    revoking = asyncio.create_task(here.owner.revoked(5))
    await asyncio.sleep(0.01)
    assert not revoking.done()
    gate.set()
    await revoking
    assert record.acked == 1
    assert here.owner.of(TOPIC) == {}


async def test_a_revoke_waits_at_most_its_limit_and_then_cancels_the_batch_unacknowledged(
    here: BatchSetting,
) -> None:
    """08 R5: a batch that waits for PostgreSQL must not cost us our membership."""
    cancelled = asyncio.Event()

    async def work(batch: Batch) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    here.work = work
    await own(here.owner, 0)
    record = event(0)
    here.stream.push(record)
    here.start()
    await until(lambda: here.batches)
    began = asyncio.get_running_loop().time()
    await here.owner.revoked(0.05)
    assert asyncio.get_running_loop().time() - began < 2
    assert cancelled.is_set()
    assert record.acked == 0


async def test_a_cancelled_batch_waits_for_nothing_any_more(here: BatchSetting) -> None:
    """The watchdog keeps quiet while a loop waits: it would for ever."""

    async def work(batch: Batch) -> None:
        raise StoreUnavailable("PostgreSQL is away")

    here.work = work
    await own(here.owner, 0)
    here.stream.push(event(0))
    here.start()
    await until(lambda: here.loop.waiting_for)
    await here.owner.revoked(0.02)
    assert here.loop.waiting_for is None


async def test_a_revoke_saves_what_is_published_so_that_nothing_is_told_twice(
    here: BatchSetting,
) -> None:
    await own(here.owner, 0)
    here.start()
    await here.give(*events(range(3)))
    await here.owner.revoked(1)
    assert here.store.published(0) == 3


async def test_a_revoke_does_not_wait_long_for_a_store_that_is_away_or_hangs(
    here: BatchSetting,
) -> None:
    await own(here.owner, 0)
    here.start()
    await here.give(event(0))
    here.store.advancing = asyncio.Event()
    began = asyncio.get_running_loop().time()
    await here.owner.revoked(0.05)
    assert asyncio.get_running_loop().time() - began < 2
    assert here.store.published(0) == 0


async def test_a_cancelled_batch_comes_again_with_the_next_assignment(here: BatchSetting) -> None:
    gate = asyncio.Event()

    async def work(batch: Batch) -> None:
        await gate.wait()

    here.work = work
    await own(here.owner, 0)
    here.start()
    here.stream.push(event(0))
    await until(lambda: here.batches)
    await here.owner.revoked(0.01)
    gate.set()
    here.source.generation = 2
    await own(here.owner, 0)
    again = event(0, generation=2)
    await here.give(again)
    assert here.batches == [[0], [0]]
    assert again.acked == 1


async def test_a_revoke_forgets_what_waits(here: BatchSetting) -> None:
    await own(here.owner, 0)
    here.start()
    await here.give(event(0))
    await here.owner.revoked(0.1)
    late = event(1)
    here.stream.push(late)
    await asyncio.sleep(0.01)
    here.source.generation = 2
    await own(here.owner, 0)
    await here.give(event(1, generation=2))
    assert late.acked == 0
