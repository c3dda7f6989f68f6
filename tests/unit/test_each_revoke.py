"""What a loop of single records owes a revoke, and what its next assignment must not inherit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from headgate.streams.engine import each as engine
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import LogUnavailable
from tests.unit.each_setting import EachSetting
from tests.unit.fakes import event, events, own, until


@pytest.fixture
async def here(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EachSetting]:
    monkeypatch.setattr(engine, "IDLE_S", 0.02)
    monkeypatch.setattr(engine, "SAVE_INTERVAL_S", 0.01)
    setting = EachSetting()
    yield setting
    await setting.stop()


async def test_a_revoke_lets_records_finish_and_saves_how_far_they_came(here: EachSetting) -> None:
    here.hold(0)
    await own(here.owner, 0)
    here.start()
    record = event(0)
    here.stream.push(record)
    await until(lambda: here.begun)
    revoking = asyncio.create_task(here.owner.revoked(5))
    await asyncio.sleep(0)
    here.gates[0].set()
    await revoking
    assert record.acked == 1
    assert here.store.published(0) == 1


async def test_a_revoke_cancels_what_takes_longer_unacknowledged(here: EachSetting) -> None:
    """08 R5."""
    here.hold(0)
    await own(here.owner, 0)
    here.start()
    records = events(range(3))
    here.stream.push(*records)
    await until(lambda: here.loop.done == 2)
    await here.owner.revoked(0.02)
    assert [one.acked for one in records] == [0, 1, 1]
    assert here.store.published(0) == 0
    assert not here.loop._tasks


async def test_a_cancelled_record_waits_for_nothing_any_more(here: EachSetting) -> None:
    """The watchdog keeps quiet while a loop waits: it would for ever."""

    async def work(record: Delivered) -> None:
        raise LogUnavailable("Kafka is away")

    here.work = work
    await own(here.owner, 0)
    here.start()
    here.stream.push(event(0))
    await until(lambda: here.loop.waiting_for)
    await here.owner.revoked(0.02)
    assert here.loop.waiting_for is None


async def test_a_revoke_does_not_wait_long_for_a_store_that_hangs(here: EachSetting) -> None:
    await own(here.owner, 0)
    here.start()
    here.stream.push(event(0))
    await until(lambda: here.loop.done == 1)
    here.store.advancing = asyncio.Event()
    began = asyncio.get_running_loop().time()
    await here.owner.revoked(0.05)
    assert asyncio.get_running_loop().time() - began < 2


async def test_the_next_assignment_does_not_inherit_how_far_the_last_one_came(
    here: EachSetting,
) -> None:
    """What one owner finished behind a gap says nothing about the gap: skipping it loses work."""
    here.hold(0)
    await own(here.owner, 0)
    here.start()
    here.stream.push(*events(range(4)))
    await until(lambda: here.loop.done == 3)
    await here.owner.revoked(0.01)
    here.source.generation, here.gates = 2, {1: asyncio.Event()}
    await own(here.owner, 0)
    here.stream.push(*events(range(4), generation=2))
    await until(lambda: here.loop.done == 6)
    await until(lambda: here.store.published(0) == 1)
    await asyncio.sleep(0.03)
    assert here.store.published(0) == 1


async def test_nothing_is_begun_once_a_revoke_has(here: EachSetting) -> None:
    """The halted loop must not take what arrives while another loop of the role still halts."""
    here.hold(0)
    await own(here.owner, 0)
    here.start()
    here.stream.push(event(0))
    await until(lambda: here.begun)
    revoking = asyncio.create_task(here.owner.revoked(0.05))
    await asyncio.sleep(0)
    here.stream.push(event(1))
    await revoking
    assert here.begun == [0]
