"""One record at a time, many at once: work that waits for others must not hold up its row."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from headgate.streams.engine.batch import IDLE_S
from headgate.streams.engine.claims import EXIT_BUG, Ownership, leave
from headgate.streams.engine.intake import Delivered, Event, Intake
from headgate.streams.errors import ClaimLost, Unavailable
from headgate.streams.settings import Settings

log = structlog.get_logger(__name__)

SAVE_INTERVAL_S = 0.5
"""How often the contiguous prefix of what is done goes to the claim store."""

EachHandler = Callable[[Delivered, bool], Awaitable[None]]
"""Called with a record and whether an earlier owner may have worked on it."""


@dataclass(slots=True)
class Prefix:
    """How far a partition is done without a gap, when its records finish out of order."""

    next_offset: int
    finished: list[tuple[int, int]] = field(default_factory=list)
    """First and next offset of what is done behind a gap, a heap."""
    expected: int = field(init=False)
    """The offset to begin next, when none is missing."""

    def __post_init__(self) -> None:
        self.expected = self.next_offset

    def begin(self, offset: int) -> None:
        """Note that the work on `offset` begins. The intake leaves nothing out but what retention
        removed (08 R4): that is done, and nobody would ever finish it."""
        if offset > self.expected:
            self._done(self.expected, offset)
        self.expected = offset + 1

    def finish(self, offset: int) -> None:
        """Note that `offset` is done."""
        self._done(offset, offset + 1)

    def _done(self, first: int, behind: int) -> None:
        heapq.heappush(self.finished, (first, behind))
        while self.finished and self.finished[0][0] <= self.next_offset:
            self.next_offset = max(self.next_offset, heapq.heappop(self.finished)[1])


class EachLoop:
    """Feeds a handler with records, many at once and out of order.

    A record is acknowledged when its handler returns; Unavailable calls it again after a pause.
    The stored position is the contiguous prefix, so after a crash some records come again: the
    handler must know what it has done.
    """

    def __init__(
        self,
        intake: Intake,
        ownership: Ownership,
        handler: EachHandler,
        settings: Settings,
        in_flight_max: int,
    ) -> None:
        self._intake = intake
        self._ownership = ownership
        self._handler = handler
        self._settings = settings
        self._in_flight_max = in_flight_max
        self._tasks: set[asyncio.Task[None]] = set()
        self._prefixes: dict[int, Prefix] = {}
        self._room = asyncio.Event()
        self.done = 0
        self.waiting_for: str | None = None
        ownership.loops.append(self)

    async def feed(self, events: AsyncIterable[Event]) -> None:
        """Take in the stream; the body of the Faust agent."""
        await self._intake.feed(events)

    async def run(self) -> None:
        """Work for ever. Whatever is not foreseen ends the process: the records come again."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._start_all())
                group.create_task(self._save_all())
        except ExceptionGroup as errors:
            if errors.subgroup(ClaimLost) is not None:
                await self._ownership.lost()
            # The last boundary: a dead loop in a live process would be silent.
            log.critical("the loop failed", topic=self._intake.topic, exc_info=True)
            leave(EXIT_BUG)

    async def _start_all(self) -> None:
        while True:
            await self._ownership.ready.wait()
            while len(self._tasks) >= self._in_flight_max:
                self._room.clear()
                await self._room.wait()
            found = await self._intake.wait(IDLE_S)
            for record in self._intake.take(self._in_flight_max - len(self._tasks)):
                self._start(record)
            with contextlib.suppress(Unavailable):
                await (self._intake.close_holes() if found else self._intake.reread_lost())

    def _start(self, record: Delivered) -> None:
        claim = self._ownership.of(record.topic)[record.partition]
        prefix = self._prefixes.get(record.partition)
        if prefix is None:
            prefix = self._prefixes[record.partition] = Prefix(record.offset)
        prefix.begin(record.offset)
        task = asyncio.create_task(self._work(record, record.offset < claim.log_end, prefix))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("a record failed", topic=self._intake.topic, exc_info=error)
            leave(EXIT_BUG)

    async def _work(self, record: Delivered, redelivered: bool, prefix: Prefix) -> None:
        try:
            await self._handled(record, redelivered)
        finally:  # also when a revoke cancels it: nobody waits any more
            self.waiting_for = None
        prefix.finish(record.offset)
        record.event.ack()
        self.done += 1

    async def _handled(self, record: Delivered, redelivered: bool) -> None:
        pause_s = self._settings.retry_backoff_ms / 1000
        while True:
            try:
                await self._handler(record, redelivered)
                return
            except Unavailable as error:
                self.waiting_for = str(error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self._settings.retry_backoff_max_ms / 1000)

    async def _save_all(self) -> None:
        while True:
            await asyncio.sleep(SAVE_INTERVAL_S)
            with contextlib.suppress(Unavailable):
                await self._save()

    async def _save(self) -> None:
        """Store the prefixes that moved. Raises ClaimLost when another process took over."""
        moved = {}
        for partition, claim in self._ownership.of(self._intake.topic).items():
            prefix = self._prefixes.get(partition)
            if prefix is not None and prefix.next_offset > claim.saved_offset:
                claim.next_offset = claim.published_offset = prefix.next_offset
                moved[partition] = claim
        if not moved:
            return
        await self._ownership.advance(self._intake.topic, moved)
        for claim in moved.values():
            claim.saved_offset = claim.next_offset

    async def halt(self, within_s: float) -> None:
        """Let what is in flight finish, at most `within_s`, then cancel it unacknowledged."""
        deadline = asyncio.get_running_loop().time() + within_s
        self._intake.clear()
        tasks = set(self._tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=within_s)
        # The next owner begins at what is saved: saved now, little is done twice.
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self._save()
        self._prefixes.clear()
