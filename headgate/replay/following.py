"""Follows a topic: its records as they are appended, however often the broker goes away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import OffsetOutOfRangeError

from headgate.replay.log_ranges import POLL_MS, asked, connected, target
from headgate.replay.log_source import recorded
from headgate.replay.recorded import Recorded, SourceUnreadable
from headgate.replay.selection import Part
from headgate.streams.connection import AWAY
from headgate.streams.errors import LogUnavailable
from headgate.streams.settings import Settings

QUIET_S = 5.0
"""After so long without a record Kafka is asked whether it is there."""
AGAIN_S = 1.0
"""How long to wait before the next try to reach Kafka."""

Tell = Callable[[str], None]


class Follower:
    """Records from some offsets on, until it is cancelled. Those that arrive together come by time;
    each partition keeps its order."""

    def __init__(self, settings: Settings, starts: Mapping[Part, int], tell: Tell) -> None:
        self._settings = settings
        self._next = dict(starts)
        self._tell = tell
        self._away = False

    async def records(self) -> AsyncGenerator[Recorded, None]:
        """The records. Tells when Kafka is away, and when it is back. Raises SourceUnreadable when
        records were deleted before they could be read."""
        while True:
            try:
                async with connected(self._settings, len(self._next)) as consumer:
                    self._begin(consumer)
                    async with aclosing(self._arriving(consumer)) as arriving:
                        async for record in arriving:
                            yield record
            except LogUnavailable as error:
                self._say(away=True, words=f"{error}; it is tried again")
                await asyncio.sleep(AGAIN_S)

    def _begin(self, consumer: AIOKafkaConsumer) -> None:
        parts = {target(self._settings, part): offset for part, offset in self._next.items()}
        consumer.assign(list(parts))
        for tp, offset in parts.items():
            consumer.seek(tp, offset)
        self._say(away=False, words=f"Kafka at {self._settings.kafka} is back")

    async def _arriving(self, consumer: AIOKafkaConsumer) -> AsyncGenerator[Recorded, None]:
        parts = {target(self._settings, part): part for part in self._next}
        heard_at = time.monotonic()
        while True:
            try:
                polled = await consumer.getmany(timeout_ms=POLL_MS)
            except OffsetOutOfRangeError as error:
                raise SourceUnreadable("records were deleted before they could be shown") from error
            except AWAY as error:
                raise LogUnavailable(f"Kafka at {self._settings.kafka} is away") from error
            if polled:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > QUIET_S:
                await asked(self._settings, "answer", consumer.end_offsets(list(parts)[:1]))
                heard_at = time.monotonic()
            for record in _by_time([recorded(parts[tp][0], polled[tp], None) for tp in polled]):
                self._next[record.topic, record.partition] = record.offset + 1
                yield record

    def _say(self, *, away: bool, words: str) -> None:
        if away != self._away:
            self._tell(words)
        self._away = away


def _by_time(batches: list[list[Recorded]]) -> list[Recorded]:
    """The records of some partitions, each in its order: none before one that it stands behind."""
    found: list[tuple[int, Recorded]] = []
    for batch in batches:
        latest = 0
        for record in batch:
            latest = max(latest, record.at_ms)
            found.append((latest, record))
    return [record for _, record in sorted(found, key=lambda pair: pair[0])]
