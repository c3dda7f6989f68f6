"""A running loop of single records over fakes, whose handler does what the test says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from headgate.streams.engine.each import EachLoop
from headgate.streams.engine.intake import Delivered, Intake
from headgate.streams.settings import Settings
from tests.unit.fakes import TOPIC, FakeClaimStore, FakeSource, Left, Stream, ownership

QUICK = Settings(retry_backoff_ms=1, retry_backoff_max_ms=4)


class EachSetting:
    """A running loop of four places whose records end when the test opens their gate."""

    def __init__(self, ends: dict[int, int] | None = None) -> None:
        self.store, self.source, self.stream = FakeClaimStore(), FakeSource(), Stream()
        self.owner = ownership(self.store, ends=ends)
        intake = Intake(TOPIC, self.source, self.owner, 1000)
        self.loop = EachLoop(intake, self.owner, self.handle, QUICK, 4)
        self.begun: list[int] = []
        self.redelivered: list[int] = []
        self.gates: dict[int, asyncio.Event] = {}
        self.work: Callable[[Delivered], Awaitable[None]] = self.nothing
        self.tasks: list[asyncio.Task[None]] = []

    async def nothing(self, record: Delivered) -> None:
        """Everything went well."""

    async def handle(self, record: Delivered, redelivered: bool) -> None:
        """Remember the record, wait for its gate, then do what the test says."""
        self.begun.append(record.offset)
        if redelivered:
            self.redelivered.append(record.offset)
        if (gate := self.gates.get(record.offset)) is not None:
            await gate.wait()
        await self.work(record)

    def hold(self, *offsets: int) -> None:
        """These records do not end before they are let go."""
        self.gates |= {offset: asyncio.Event() for offset in offsets}

    def start(self) -> asyncio.Task[None]:
        """Feed and work in the background; the task ends when the process would."""
        self.tasks = [
            asyncio.create_task(self.loop.feed(self.stream)),
            asyncio.create_task(self.loop.run()),
        ]
        return self.tasks[1]

    async def stop(self) -> None:
        """Stop everything."""
        for task in [*self.tasks, *self.loop._tasks]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Left):
                await task
