"""A running batch loop over fakes, whose handler does what the test says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from headgate.streams.engine.batch import Batch, BatchLoop
from headgate.streams.engine.intake import Intake
from headgate.streams.settings import Settings
from tests.unit.fakes import (
    TOPIC,
    FakeClaimStore,
    FakeEvent,
    FakeSource,
    Left,
    Stream,
    ownership,
    until,
)

QUICK = Settings(batch_max=10, batch_every_ms=0, retry_backoff_ms=1, retry_backoff_max_ms=4)


class BatchSetting:
    """A running loop over partitions 0 and 1 whose handler does what the test says."""

    def __init__(self, settings: Settings = QUICK) -> None:
        self.store, self.source, self.stream = FakeClaimStore(), FakeSource(), Stream()
        self.owner = ownership(self.store)
        self.batches: list[list[int]] = []
        self.work: Callable[[Batch], Awaitable[None]] = self.nothing
        intake = Intake(TOPIC, self.source, self.owner, 1000)
        self.loop = BatchLoop(intake, self.owner, self.handle, settings)
        self.tasks: list[asyncio.Task[None]] = []

    async def nothing(self, batch: Batch) -> None:
        """Everything went well."""

    async def handle(self, batch: Batch) -> None:
        """Remember the batch, then do what the test says."""
        self.batches.append([record.offset for record in batch.records])
        await self.work(batch)

    def start(self) -> asyncio.Task[None]:
        """Feed and work in the background; the task ends when the process would."""
        self.tasks = [
            asyncio.create_task(self.loop.feed(self.stream)),
            asyncio.create_task(self.loop.run()),
        ]
        return self.tasks[1]

    async def stop(self) -> None:
        """Stop both."""
        for task in self.tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Left):
                await task

    async def give(self, *batch: FakeEvent) -> None:
        """Let these records arrive and wait until they are worked on."""
        want = self.loop.done + len(batch)
        self.stream.push(*batch)
        await until(lambda: self.loop.done == want)
