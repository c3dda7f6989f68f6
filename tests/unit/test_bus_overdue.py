"""A publish that gets no acks is told, however well the broker answers everything else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headgate.streams.bus import Bus, Record
from headgate.streams.connection import Position
from headgate.streams.engine.app import create_app
from headgate.streams.engine.worker import Worker
from headgate.streams.errors import LogUnavailable
from headgate.streams.settings import Settings
from tests.unit.fakes import FakeClaimStore, until

RECORD = Record("payments.facts", 0, b"k", b"v")


class DeafBus(Bus):
    """A bus whose broker answers probes and holds acks back until it is told to give them."""

    def __init__(self) -> None:
        super().__init__("127.0.0.1:1", timeout_ms=10, retry_backoff_ms=1, retry_backoff_max_ms=1)
        self._available = True
        self.gate = asyncio.Event()
        self.broken = False
        self.tries = 0

    def _repair(self) -> None:
        """The probe succeeds at once."""
        self._available = True

    async def _deliver(self, records: object) -> list[Position]:
        self.tries += 1
        if self.broken:
            raise LogUnavailable("the producer was replaced")
        await self.gate.wait()
        return [Position("payments.facts", 0, 0)]


async def test_a_partition_that_takes_no_acks_is_what_the_worker_waits_for(tmp_path: Path) -> None:
    """Too few replicas: metadata comes, acks do not. No process ends for that (00 A4)."""
    settings, bus = Settings(state_dir=tmp_path), DeafBus()
    worker = Worker("settle", settings, create_app("settle", settings), FakeClaimStore(), bus)
    assert worker.waiting_for is None
    publishing = asyncio.create_task(bus.publish_until_acked([RECORD]))
    await until(lambda: worker.waiting_for == "Kafka does not acknowledge")
    assert bus.available
    bus.gate.set()
    await publishing
    assert worker.waiting_for is None


async def test_a_replaced_producer_does_not_begin_the_wait_anew() -> None:
    bus = DeafBus()
    publishing = asyncio.create_task(bus.publish_until_acked([RECORD]))
    await until(lambda: bus.overdue)
    bus.broken = True
    publishing_again = asyncio.create_task(bus.publish_until_acked([RECORD]))
    await until(lambda: bus.tries > 20)
    assert bus.overdue
    bus.broken = False
    bus.gate.set()
    await asyncio.gather(publishing, publishing_again)
    assert not bus.overdue


async def test_a_publish_that_was_given_up_waits_no_longer() -> None:
    bus = DeafBus()
    publishing = asyncio.create_task(bus.publish_until_acked([RECORD]))
    await until(lambda: bus.overdue)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert not bus.overdue
