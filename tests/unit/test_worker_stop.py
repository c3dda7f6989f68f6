"""A worker that is told to stop ends its work and saves how far it came, so nothing comes twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

from headgate.streams.engine.app import create_app
from headgate.streams.engine.batch import Batch
from headgate.streams.engine.worker import Worker
from headgate.streams.settings import Settings
from headgate.streams.topics import PAYMENT_COMMANDS
from tests.unit.fake_store import FakeBus
from tests.unit.fakes import TOPIC, FakeClaimStore, own, until


async def test_a_stop_halts_the_loops_and_saves_their_positions(tmp_path: Path) -> None:
    """A rolling restart repeated up to two hundred facts without it."""
    settings = Settings(state_dir=tmp_path)
    store = FakeClaimStore()
    worker = Worker("settle", settings, create_app("settle", settings), store, FakeBus())

    async def handle(batch: Batch) -> None:
        """Nothing is to be done."""

    loop = worker.batch(PAYMENT_COMMANDS, handle)

    async def log_ends(_topic: str, _partitions: object) -> dict[int, int]:
        return {}

    worker.ownership._log_ends = worker.ownership._commits = log_ends
    claims = await own(worker.ownership, 0)
    claims[0].next_offset = claims[0].published_offset = 17
    loop._unsaved = True
    stopping = asyncio.ensure_future(worker.app.on_before_shutdown.send())
    await until(stopping.done)
    assert store.published(0) == 17
    assert not worker.ownership.ready.is_set()
    assert worker.ownership.of(TOPIC) == {}
