"""The pump asks whether it is the newest under its id, and until PostgreSQL answers, again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest
from aiokafka import TopicPartition

from headgate.agents.delay import DelayPump
from headgate.agents.delay_session import Confirm, Counts, PumpSession
from headgate.agents.worker import _pump
from headgate.streams.engine.claims import EXIT_SUPERSEDED, Ownership
from headgate.streams.engine.worker import Worker
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from tests.unit.fake_store import FakeBus
from tests.unit.fakes import FakeClaimStore, Left, ownership, until

SETTINGS = Settings().model_copy(update={"retry_backoff_max_ms": 1})
PARTITION = TopicPartition("delay.1s", 0)


class LonelyWorker:
    """As much of a worker as a pump asks for."""

    def __init__(self, owner: Ownership) -> None:
        self._owner = owner

    def owner_without_topics(self, _role: str) -> Ownership:
        """The pump's identity."""
        return self._owner


def confirm_of(owner: Ownership) -> Confirm:
    """The question that the notify worker gives to its pump."""
    pump = _pump(cast("Worker", LonelyWorker(owner)), SETTINGS, FakeBus(), [])
    return cast("Callable[[], DelayPump]", pump)()._confirm


@contextlib.asynccontextmanager
async def confirming(confirm: Confirm) -> AsyncIterator[tuple[PumpSession, asyncio.Task[None]]]:
    """A session of which only the confirming part runs."""
    session = PumpSession(SETTINGS, FakeBus(), Counts(), confirm)
    task = asyncio.create_task(session._confirm_assignments())
    try:
        yield session, task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Left):
            await task


async def test_a_pump_that_begins_without_postgresql_is_confirmed_when_it_is_back() -> None:
    store = FakeClaimStore(away=True)
    owner = ownership(store)
    asked = 0
    confirm = confirm_of(owner)

    async def counted() -> None:
        nonlocal asked
        asked += 1
        await confirm()

    async with confirming(counted) as (session, _):
        session.assign([PARTITION])
        await until(lambda: asked > 2)
        assert session._open
        assert list(session.windows) == [PARTITION]
        store.away = False
        await until(lambda: owner.incarnation == 1)


async def test_a_superseded_pump_leaves_as_soon_as_postgresql_is_back(
    leaving: list[int],
) -> None:
    """08 R7."""
    store = FakeClaimStore()
    owner = ownership(store)
    await owner.register()
    await ownership(store).register()
    store.away = True
    asked = 0
    confirm = confirm_of(owner)

    async def counted() -> None:
        nonlocal asked
        asked += 1
        await confirm()

    async with confirming(counted) as (session, task):
        session.assign([PARTITION])
        await until(lambda: asked > 1)
        store.away = False
        async with asyncio.timeout(30):
            with pytest.raises(Left):
                await task
    assert leaving == [EXIT_SUPERSEDED]


async def test_an_assignment_during_the_question_asks_once_more() -> None:
    asked = 0

    async def confirm() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            session.assign([PARTITION])
        if asked == 2:
            raise StoreUnavailable("PostgreSQL is away")

    async with confirming(confirm) as (session, _):
        session.assign([PARTITION])
        await until(lambda: asked == 3)
