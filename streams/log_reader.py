"""Looks at the log for people: how far topics reach, and some of their records, within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)

from headgate.streams.connection import AWAY, Position, Record
from headgate.streams.errors import LogUnavailable
from headgate.streams.log_sizes import sizes_of
from headgate.streams.settings import Settings
from headgate.streams.shared_client import Client, SharedClient, stopped
from headgate.streams.topics import all_topics

ASK_WAIT_S = 3.0
"""How long Kafka may take over a question about topics or groups."""
READ_WAIT_S = 5.0
"""How long one look may read. What it has by then is shown, and said to be a part."""
READS_MAX = 4
"""Looks of one process that read at a time; others wait, no longer than a look may take."""
READ_BYTES_MAX = 16 << 20
"""Bytes of values that one look keeps at most."""
POLL_MS = 200
FETCH_BYTES_MAX = 1 << 20
"""Bytes that one fetch takes of a partition; a larger record still comes, alone."""

_NOT_READY = (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)

Part = tuple[str, int]
"""A partition: the topic's full name and a number."""
C = TypeVar("C", bound=Client)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Extent:
    """What is kept of a partition: the first offset, and the one after the last."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A record where it stands on the log."""

    position: Position
    at_ms: int
    record: Record


Keep = Callable[[Seen], bool]
"""Whether a look keeps a record; what it does not keep costs no memory."""


@dataclass(slots=True)
class Reading:
    """What a look has found."""

    seen: list[Seen] = field(default_factory=list)
    complete: bool = True
    """False when the time or the bytes were used up before everything asked for was read."""
    bytes_kept: int = 0


class LogReader:
    """One per process. Questions share a connection each; every look reads with a consumer of its
    own, in no group, so that looking changes nothing for anybody."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topics = frozenset(topic.full_name(settings) for topic in all_topics(settings))
        self._places = asyncio.Semaphore(READS_MAX)
        self._offsets = SharedClient(lambda: _consumer(settings), lambda one: one.stop())
        self._admin = SharedClient(lambda: _admin(settings), lambda one: one.close())

    async def extents(self, topics: Iterable[str]) -> dict[Part, Extent]:
        """The extent of every partition of these topics. Raises LogUnavailable."""
        parts = self._parts(topics)

        async def ask(consumer: AIOKafkaConsumer) -> dict[Part, Extent]:
            starts, ends = await asyncio.gather(
                consumer.beginning_offsets(parts), consumer.end_offsets(parts)
            )
            return {(tp.topic, tp.partition): Extent(starts[tp], ends[tp]) for tp in parts}

        return await self._asked("how far topics reach", self._offsets, ask)

    async def first_since(self, topic: str, at_ms: int) -> dict[Part, int | None]:
        """Each partition's first record of this time or a later one; None when all are older.
        Raises LogUnavailable."""
        parts = self._parts([topic])

        async def ask(consumer: AIOKafkaConsumer) -> dict[Part, int | None]:
            found = await consumer.offsets_for_times(dict.fromkeys(parts, at_ms))
            return {
                (tp.topic, tp.partition): entry.offset if (entry := found.get(tp)) else None
                for tp in parts
            }

        return await self._asked("what was written when", self._offsets, ask)

    async def commits(self, group: str, topics: Iterable[str]) -> dict[Part, tuple[int, str]]:
        """What a group has committed: offset and note. Partitions without a commit are left out.
        Raises LogUnavailable."""
        parts = self._parts(topics)

        async def ask(admin: AIOKafkaAdminClient) -> dict[Part, tuple[int, str]]:
            found = await _when_ready(
                lambda: admin.list_consumer_group_offsets(group, partitions=parts)
            )
            return {
                (tp.topic, tp.partition): (entry.offset, entry.metadata or "")
                for tp, entry in found.items()
                if entry.offset >= 0
            }

        return await self._asked(f"how far {group} is", self._admin, ask)

    async def sizes(self, topics: Iterable[str]) -> dict[str, int]:
        """Bytes of each topic on disk. Raises LogUnavailable."""
        names = list(topics)

        async def ask(admin: AIOKafkaAdminClient) -> dict[str, int]:
            return await sizes_of(admin, names, self._settings.partitions)

        return await self._asked("how large topics are", self._admin, ask)

    async def read(self, spans: Mapping[Part, Extent], keep: Keep = lambda _: True) -> Reading:
        """The records of these spans that `keep` wants, in the order of each partition. Raises
        LogUnavailable."""
        reading = Reading()
        wanted = {TopicPartition(*part): span for part, span in spans.items()}
        wanted = {tp: span for tp, span in wanted.items() if span.start < span.end}
        if not wanted:
            return reading
        try:
            async with asyncio.timeout(READ_WAIT_S + ASK_WAIT_S), self._places:
                await self._read(wanted, keep, reading)
        except AWAY as error:
            raise self._away("its records", error) from error
        return reading

    async def one(self, topic: str, partition: int, offset: int) -> Seen | None:
        """The record at an offset; None when none is kept there. Raises LogUnavailable."""
        if topic not in self._topics or not 0 <= partition < self._settings.partitions:
            return None
        kept = (await self.extents([topic]))[topic, partition]
        if not kept.start <= offset < kept.end:
            return None
        reading = await self.read({(topic, partition): Extent(offset, offset + 1)})
        return next(iter(reading.seen), None)

    async def _read(
        self,
        wanted: Mapping[TopicPartition, Extent],
        keep: Keep,
        reading: Reading,
    ) -> None:
        consumer = _consumer(self._settings)
        try:
            await consumer.start()
            consumer.assign(list(wanted))
            for tp, span in wanted.items():
                consumer.seek(tp, span.start)
            try:
                async with asyncio.timeout(READ_WAIT_S):
                    await _collect(consumer, wanted, keep, reading)
            except TimeoutError:
                reading.complete = False
        finally:
            await stopped(consumer.stop())

    async def close(self) -> None:
        """Close the shared connections; a later question opens others."""
        await self._offsets.close()
        await self._admin.close()

    def _parts(self, topics: Iterable[str]) -> list[TopicPartition]:
        numbers = range(self._settings.partitions)
        return [TopicPartition(topic, number) for topic in topics for number in numbers]

    async def _asked(
        self, what: str, shared: SharedClient[C], question: Callable[[C], Awaitable[T]]
    ) -> T:
        try:
            async with asyncio.timeout(ASK_WAIT_S):
                return await shared.ask(question)
        except AWAY as error:
            raise self._away(what, error) from error

    def _away(self, what: str, error: BaseException) -> LogUnavailable:
        said = f" ({error})" if isinstance(error, KafkaError) else ""
        return LogUnavailable(f"Kafka at {self._settings.kafka} does not tell {what}{said}")


async def _collect(
    consumer: AIOKafkaConsumer,
    wanted: Mapping[TopicPartition, Extent],
    keep: Keep,
    reading: Reading,
) -> None:
    """Read until every span's end, or until the bytes are used up."""
    left = set(wanted)
    while left:
        for tp, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
            _take([r for r in records if r.offset < wanted[tp].end], keep, reading)
        if reading.bytes_kept > READ_BYTES_MAX:
            reading.complete = False
            return
        # Retention and compaction leave holes, so the position tells, not the last record.
        done = {tp for tp in left if await consumer.position(tp) >= wanted[tp].end}
        left -= done
        if done:
            consumer.pause(*done)


def _take(
    records: Sequence[ConsumerRecord],
    keep: Keep,
    reading: Reading,
) -> None:
    for seen in map(_seen, records):
        if keep(seen):
            reading.seen.append(seen)
            reading.bytes_kept += len(seen.record.value or b"")


def _seen(one: ConsumerRecord) -> Seen:
    headers = tuple((name, value or b"") for name, value in one.headers)
    record = Record(one.topic, one.partition, one.key or b"", one.value, headers, one.timestamp)
    return Seen(Position(one.topic, one.partition, one.offset), one.timestamp, record)


def _consumer(settings: Settings) -> AIOKafkaConsumer:
    """A consumer in no group: it commits nothing, and nobody's partitions move."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        client_id="headgate-dashboard",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=POLL_MS,
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
        request_timeout_ms=int(ASK_WAIT_S * 1000),
    )


def _admin(settings: Settings) -> AIOKafkaAdminClient:
    return AIOKafkaAdminClient(
        bootstrap_servers=settings.kafka,
        client_id="headgate-dashboard",
        request_timeout_ms=int(ASK_WAIT_S * 1000),
    )


async def _when_ready(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, once a group's coordinator gives it: a new cluster has none for its first second,
    and a restarted one reads for a while. The caller bounds the wait."""
    while True:
        try:
            return await ask()
        except _NOT_READY:
            await asyncio.sleep(POLL_MS / 1000)


def newest(extents: Mapping[Part, Extent], most: int) -> dict[Part, Extent]:
    """The last `most` offsets of each partition."""
    return {part: Extent(max(one.start, one.end - most), one.end) for part, one in extents.items()}
