"""Ends a worker that neither works nor will: the supervisor starts it afresh (exit 75)."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NoReturn

from mode import Service

from headgate.streams.connection import AWAY, Reader

log = logging.getLogger(__name__)

EXIT_STALLED = 75
"""Start again at once."""
LOOK_INTERVAL_S = 1.0
"""How often the worker is looked at."""
PING_TIMEOUT_MS = 2000
"""How long Kafka may take to answer before a stall is put down to it."""


@dataclass(frozen=True, slots=True)
class Observation:
    """A worker at one moment.

    `assigned` is None while the group has not told us what is ours; 0 means that it has given us
    nothing, which is how a spare worker looks (more workers than partitions) and nothing to
    complain about: only the group's leader knows whether there is enough for everyone.
    """

    member_id: str
    assigned: int | None
    fetching: int
    unacknowledged: int
    acknowledged: int
    recovering: int
    waiting_for: str | None

    @property
    def progress(self) -> tuple[object, ...]:
        """What changes when anything moves."""
        return (self.member_id, self.assigned, self.acknowledged, self.recovering)


def complaint(seen: Observation) -> str | None:
    """What keeps the worker from working; None when nothing does, or when what it waits for is
    away: no process exits because a dependency is away (00 A4)."""
    if seen.waiting_for is not None:
        return None
    if not seen.member_id:
        return "is no member of its consumer group"
    if seen.assigned is None:
        return "was not told which partitions are its own"
    if seen.unacknowledged:
        return f"has {seen.unacknowledged} records in hand and acknowledges none"
    if seen.assigned and not seen.fetching:
        return f"owns {seen.assigned} partitions and reads none of them"
    return None


class Patience:
    """Turns looks at a worker into a verdict, once a complaint has stood for `limit_s`."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._since: float | None = None
        self._progress: tuple[object, ...] = ()

    def judge(self, seen: Observation, at_s: float) -> str | None:
        """The complaint, when it has stood for the limit and nothing has moved meanwhile."""
        wrong = complaint(seen)
        if wrong is None or seen.progress != self._progress:
            self._progress = seen.progress
            self._since = None if wrong is None else at_s
        elif self._since is None:
            self._since = at_s
        if wrong is None or self._since is None or at_s - self._since < self._limit_s:
            return None
        return f"{wrong} for {at_s - self._since:.0f} s"

    @property
    def troubled(self) -> bool:
        """Whether there is something to complain about."""
        return self._since is not None

    def forgive(self) -> None:
        """Begin to count anew: something else is to blame."""
        self._since = None


class Watchdog(Service):
    """Looks at a worker every second for as long as it lives."""

    def __init__(
        self,
        observe: Callable[[], Observation],
        limit_s: float,
        bootstrap: str,
        tasks: Callable[[], Collection[asyncio.Task[object]]] = asyncio.all_tasks,
    ) -> None:
        """`tasks` are those to account for when the worker is ended."""
        super().__init__()
        self._observe = observe
        self._accounted = tasks
        self._patience = Patience(limit_s)
        self._bootstrap = bootstrap

    @Service.task
    async def _watch(self) -> None:
        kafka = Reader(self._bootstrap, timeout_ms=PING_TIMEOUT_MS, client_id="watchdog")
        while not self.should_stop:
            seen = self._observe()
            verdict = self._patience.judge(seen, time.monotonic())
            if self._patience.troubled and not await answers(kafka):
                self._patience.forgive()
            elif verdict is not None:
                end(verdict, seen, self._accounted())
            await self.sleep(LOOK_INTERVAL_S)
        await kafka.close()


async def answers(kafka: Reader) -> bool:
    """Whether Kafka answers within `PING_TIMEOUT_MS`."""
    try:
        async with asyncio.timeout(PING_TIMEOUT_MS / 1000):
            await kafka.ping()
    except AWAY:
        return False
    return True


def waiting(task: asyncio.Task[object]) -> str:
    """Where a task waits: its coroutines from the outermost to the innermost, with their lines."""
    places = []
    step: object = task.get_coro()
    while (frame := getattr(step, "cr_frame", None) or getattr(step, "gi_frame", None)) is not None:
        places.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        step = getattr(step, "cr_await", None) or getattr(step, "gi_yieldfrom", None)
    return " > ".join(places)


def end(verdict: str, seen: Observation, tasks: Collection[asyncio.Task[object]]) -> NoReturn:
    """Say what was seen and where every task stands, loudly, and end the process without a chance
    to do anything else."""
    log.critical("the worker %s; ending it so that it starts afresh: %s", verdict, seen)
    for task in tasks:
        log.critical("%s waits in %s", task.get_name(), waiting(task))
    logging.shutdown()
    os._exit(EXIT_STALLED)
