"""A refused partition is not read until it may be worked on; the others go on (08 R4)."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
from faust.types import TP

from headgate.streams.engine.app import WorkerApp, create_app
from headgate.streams.engine.worker import Worker
from headgate.streams.settings import Settings
from tests.unit.fake_store import FakeBus
from tests.unit.fakes import TOPIC, FakeClaimStore, Row, own, until


class FakeConsumer:
    """Remembers what is paused."""

    def __init__(self) -> None:
        self.paused: set[TP] = set()
        self.resumed: set[TP] = set()

    def pause_partitions(self, tps: set[TP]) -> None:
        """Read these no longer."""
        self.paused |= tps

    def resume_partitions(self, tps: set[TP]) -> None:
        """Read these again."""
        self.paused -= tps
        self.resumed |= tps


async def test_a_refused_partition_is_paused_until_an_operator_has_acted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = FakeConsumer()
    monkeypatch.setattr(WorkerApp, "consumer", consumer)
    settings, store = Settings(state_dir=tmp_path, namespace="replay"), FakeClaimStore()
    worker = Worker("settle", settings, create_app("settle", settings), store, FakeBus())

    async def log_ends(_topic: str, _partitions: object) -> dict[int, int]:
        return {}

    async def commits(_topic: str, _partitions: object) -> dict[int, int]:
        return {1: 17}

    worker.ownership._log_ends, worker.ownership._commits = log_ends, commits
    assert sorted(await own(worker.ownership, 0, 1)) == [0]
    refused = TP(f"replay.{TOPIC}", 1)
    assert consumer.paused == {refused}
    consumer.paused.clear()  # as Faust does at the end of a rebalance
    await until(lambda: consumer.paused == {refused})
    store.rows[TOPIC, 1] = Row(uuid4(), "rebuild", 17, 17)
    await until(lambda: sorted(worker.ownership.of(TOPIC)) == [0, 1])
    assert consumer.paused == set()
    assert consumer.resumed == {refused}


async def test_what_was_refused_before_a_revoke_is_not_resumed_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be another worker's by now."""
    consumer = FakeConsumer()
    monkeypatch.setattr(WorkerApp, "consumer", consumer)
    settings = Settings(state_dir=tmp_path)
    worker = Worker("settle", settings, create_app("settle", settings), FakeClaimStore(), FakeBus())
    worker._hold([(TOPIC, 1)])
    await worker._revoked(worker.app, ())
    worker._hold([])
    assert consumer.resumed == set()
