"""Records as they are, appended to a topic: the very same commands again, or any other topic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from headgate.replay.journal import Journal, count
from headgate.replay.pace import Pace
from headgate.replay.recorded import Recorded, Source
from headgate.replay.sender import CutOff, Limits
from headgate.replay.sinks import ACCEPTED, Outcome
from headgate.replay.steps import Place
from headgate.replay.tally import Tally
from headgate.streams.bus import Bus, Record, delays_s
from headgate.streams.errors import LogUnavailable
from headgate.streams.ids import partition_of

BATCH_MAX = 500
"""Records of one produce request."""
AGAIN_MS, AGAIN_MAX_MS = 100, 2000
Waiting = list[tuple[Recorded, float]]


def into(topic: str, partitions: int) -> Callable[[Recorded], Record]:
    """The same key, value, headers and partition; where there is no such partition, by the key."""

    def record(recorded: Recorded) -> Record:
        partition, key = recorded.partition, recorded.key or b""
        if partition >= partitions:
            partition = partition_of(key.decode("utf-8", "replace"), partitions)
        return Record(topic, partition, key, recorded.value, recorded.headers)

    return record


class RawSender:
    """Appends records in their order, each partition's kept. A cut off run that goes on may append
    some twice, as every producer may."""

    def __init__(
        self,
        bus: Bus,
        target: Callable[[Recorded], Record],
        pace: Pace,
        tally: Tally,
        journal: Journal,
        limits: Limits,
    ) -> None:
        self._bus = bus
        self._target = target
        self._pace = pace
        self._tally = tally
        self._journal = journal
        self._limits = limits
        self._origin: float | None = None

    async def send(self, source: Source, wanted: Callable[[Recorded], bool]) -> bool:
        """Append every wanted record; False when the time was over before. Raises CutOff, and what
        the source does."""
        waiting: Waiting = []
        began, number = asyncio.get_running_loop().time(), 0
        async with aclosing(source.records()) as records:
            async for record in records:
                if not wanted(record):
                    continue
                due_s = self._pace.due_s(number, record.at_ms)
                number += 1
                if self._limits.over(due_s, began):
                    await self._append(waiting)
                    return False
                if self._journal.known(place_of(record)) is None:
                    await self._take(waiting, record, due_s)
        await self._append(waiting)
        return True

    async def _take(self, waiting: Waiting, record: Recorded, due_s: float | None) -> None:
        clock = asyncio.get_running_loop().time
        if due_s is None:
            at = clock()
        else:
            self._origin = clock() - due_s if self._origin is None else self._origin
            at = self._origin + due_s
        if at > clock() or len(waiting) >= BATCH_MAX:
            await self._append(waiting)
        self._tally.behind_s = max(0.0, clock() - at) if due_s is not None else 0.0
        await asyncio.sleep(max(0.0, at - clock()))
        waiting.append((record, at))

    async def _append(self, waiting: Waiting) -> None:
        if not waiting:
            return
        self._tally.sent += len(waiting)
        self._tally.in_flight = len(waiting)
        await self._insist([self._target(record) for record, _ in waiting])
        now = asyncio.get_running_loop().time()
        for record, at in waiting:
            outcome = Outcome(ACCEPTED)
            latency_us = round(1_000_000 * (now - at))
            count(self._tally, outcome, latency_us)
            self._journal.write(place_of(record), outcome, latency_us)
        self._tally.in_flight = 0
        waiting.clear()

    async def _insist(self, records: list[Record]) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        for pause in delays_s(AGAIN_MS, AGAIN_MAX_MS):
            try:
                await self._bus.publish(records)
                return
            except LogUnavailable as error:
                self._tally.repeated[0] += len(records)
                self._journal.repeat(0, len(records))
                if clock() - began > self._limits.patience_s:
                    raise CutOff(str(error)) from error
            await asyncio.sleep(pause)


def place_of(record: Recorded) -> Place:
    """Where a record was recorded."""
    return Place(0, record.topic, record.partition, record.offset)
