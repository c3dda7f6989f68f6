"""Reads topics from their beginning while a scenario runs, and notes when each record came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from headgate.streams.clock import now_ms
from headgate.streams.settings import Settings
from headgate.streams.topics import Topic
from tests.system.harness_place import until


@dataclass(frozen=True, slots=True)
class Seen:
    """One record, and when the reader had it."""

    partition: int
    offset: int
    key: bytes
    value: bytes
    timestamp_ms: int
    seen_ms: int


@dataclass(frozen=True)
class Delays:
    """How long outputs took from their input's time on the log to their first sight."""

    middle_ms: int
    longest_ms: int
    repeats: int
    """Outputs that came more than once; harmless (same id, same bytes)."""

    @classmethod
    def of(cls, waits_ms: list[int], repeats: int) -> Delays:
        """The delays of these waits."""
        ordered = sorted(waits_ms)
        return cls(ordered[len(ordered) // 2], ordered[-1], repeats)


class LogReader:
    """What has come on some topics so far, in the order of each partition."""

    def __init__(self, settings: Settings, topics: Sequence[Topic]) -> None:
        self._names = {topic.full_name(settings): topic.name for topic in topics}
        self._partitions = [
            TopicPartition(name, partition)
            for name in self._names
            for partition in range(settings.partitions)
        ]
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        self._seen: dict[str, list[Seen]] = {topic.name: [] for topic in topics}

    def of(self, topic: Topic) -> list[Seen]:
        """The records of a topic."""
        return self._seen[topic.name]

    async def read(self) -> None:
        """Read until cancelled."""
        while True:
            for tp, records in (await self._consumer.getmany(timeout_ms=100)).items():
                at_ms = now_ms()
                self._seen[self._names[tp.topic]].extend(
                    Seen(r.partition, r.offset, r.key, r.value, r.timestamp, at_ms) for r in records
                )

    async def start(self) -> None:
        """Connect; everything from the first record on will be read."""
        await self._consumer.start()
        self._consumer.assign(self._partitions)

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def until_end(self, within_s: float = 20) -> None:
        """Wait until everything has been read that is on the log now."""
        ends = await self._consumer.end_offsets(self._partitions)

        async def reached() -> bool:
            return all([await self._consumer.position(tp) >= end for tp, end in ends.items()])

        await until(reached, within_s, "the log read to its end")


@asynccontextmanager
async def reading(settings: Settings, *topics: Topic) -> AsyncIterator[LogReader]:
    """A reader of these topics for as long as the block runs."""
    reader = LogReader(settings, topics)
    try:
        await reader.start()
        task = asyncio.create_task(reader.read())
        try:
            yield reader
        finally:
            task.cancel()
            await asyncio.wait({task})
    finally:
        await reader.stop()
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
