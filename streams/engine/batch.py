"""Micro-batches: take what waits, work on it as one, acknowledge it last (03 §5 R1, R6)."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass

import structlog

from headgate.streams.engine.claims import EXIT_BUG, Claim, Ownership, leave
from headgate.streams.engine.intake import Delivered, Event, Intake
from headgate.streams.errors import ClaimLost, Unavailable
from headgate.streams.settings import Settings

log = structlog.get_logger(__name__)

IDLE_S = 0.5
"""After this long without records positions are saved and lost records looked for."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Records to work on as one, in order and without holes per partition, and their claims."""

    records: list[Delivered]
    claims: dict[int, Claim]

    def split(self) -> tuple[Batch, Batch]:
        """Two halves, in order; the first must be done before the second."""
        middle = len(self.records) // 2
        return (
            Batch(self.records[:middle], self.claims),
            Batch(self.records[middle:], self.claims),
        )

    def positions(self) -> dict[int, int]:
        """Per partition of the batch the offset behind its last record."""
        return {record.partition: record.offset + 1 for record in self.records}


Handler = Callable[[Batch], Awaitable[None]]


class BatchLoop:
    """Feeds a handler with micro-batches.

    The handler must do all or nothing visible: when it returns the batch is acknowledged, when it
    raises Unavailable it gets the same batch again after a pause, when it raises ClaimLost the
    process ends. It is never called without claims, nor twice at once.
    """

    def __init__(
        self,
        intake: Intake,
        ownership: Ownership,
        handler: Handler,
        settings: Settings,
        every_ms: int | None = None,
    ) -> None:
        """`every_ms` is the least time between the beginnings of two batches; None takes the
        setting. A batch costs nearly the same with one record as with ten (ADR 0026)."""
        self._every_s = (settings.batch_every_ms if every_ms is None else every_ms) / 1000
        self._began_at = -math.inf
        self._intake = intake
        self._ownership = ownership
        self._handler = handler
        self._settings = settings
        self._working: asyncio.Task[None] | None = None
        self._unsaved = False
        self.done = 0
        self.waiting_for: str | None = None
        ownership.loops.append(self)

    async def feed(self, events: AsyncIterable[Event]) -> None:
        """Take in the stream; the body of the Faust agent."""
        await self._intake.feed(events)

    async def run(self) -> None:
        """Work for ever. Whatever is not foreseen ends the process: the records come again."""
        try:
            while True:
                await self._ownership.ready.wait()
                await self._turn()
        except ClaimLost:
            await self._ownership.lost()
        except Exception:  # the last boundary: a dead loop in a live process would be silent
            log.critical("the loop failed", topic=self._intake.topic, exc_info=True)
            leave(EXIT_BUG)

    async def _turn(self) -> None:
        if not await self._intake.wait(IDLE_S):
            await self._idle()
            return
        await self._pace()
        records = self._intake.take(self._settings.batch_max)
        if records:
            await self._work_on(records)
        with contextlib.suppress(Unavailable):
            await self._intake.close_holes()

    async def _pace(self) -> None:
        """Let records gather until the next batch may begin: at once after a pause, or when they
        fill it."""
        clock = asyncio.get_running_loop().time
        wait_s = self._began_at + self._every_s - clock()
        if wait_s > 0 and len(self._intake) < self._settings.batch_max:
            await asyncio.sleep(wait_s)
        self._began_at = clock()

    async def _work_on(self, records: list[Delivered]) -> None:
        claims = self._ownership.of(self._intake.topic)
        mine = {record.partition: claims[record.partition] for record in records}
        self._working = asyncio.create_task(self._work(Batch(records, mine)))
        # A revoke may cancel the work; that must not end the loop.
        await asyncio.wait({self._working})
        if not self._working.cancelled():
            self._working.result()

    async def _work(self, batch: Batch) -> None:
        try:
            await self._handled(batch)
        finally:  # also when a revoke cancels it: nobody waits any more
            self.waiting_for = None
        self._finish(batch)

    async def _handled(self, batch: Batch) -> None:
        pause_s = self._settings.retry_backoff_ms / 1000
        while True:
            try:
                await self._handler(batch)
                return
            except Unavailable as error:
                self.waiting_for = str(error)
                log.warning("batch waits", topic=self._intake.topic, reason=str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self._settings.retry_backoff_max_ms / 1000)

    def _finish(self, batch: Batch) -> None:
        for partition, offset in batch.positions().items():
            claim = batch.claims[partition]
            claim.next_offset = max(claim.next_offset, offset)
            claim.published_offset = offset
        for record in batch.records:
            record.event.ack()
        self.done += len(batch.records)
        self._unsaved = True

    async def _idle(self) -> None:
        """Nothing arrives: save how far the outputs are published, look for lost records."""
        with contextlib.suppress(Unavailable):
            await self._save()
            await self._intake.reread_lost()

    async def _save(self) -> None:
        claims = self._ownership.of(self._intake.topic)
        if self._unsaved and claims:
            await self._ownership.advance(self._intake.topic, claims)
        self._unsaved = False

    async def halt(self, within_s: float) -> None:
        """Let the batch in flight finish, at most `within_s`, then cancel it unacknowledged."""
        deadline = asyncio.get_running_loop().time() + within_s
        if self._working is not None and not self._working.done():
            await asyncio.wait({self._working}, timeout=within_s)
            self._working.cancel()
            await asyncio.wait({self._working}, timeout=within_s)
        self._intake.clear()
        # The next owner begins at what is saved: saved now, nothing is told twice.
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._save()
