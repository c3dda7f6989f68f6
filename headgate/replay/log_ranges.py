"""Asks the log what there is: its topics, their partitions, and the offsets of a selection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from headgate.replay.recorded import SourceUnreadable
from headgate.replay.selection import DEFAULT_TOPICS, Part, Selection
from headgate.streams.connection import AWAY
from headgate.streams.errors import LogUnavailable
from headgate.streams.log_reader import Extent
from headgate.streams.settings import Settings
from headgate.streams.shared_client import stopped

ASK_WAIT_S = 10.0
"""How long Kafka may take to let us in, or to answer one question."""
POLL_MS = 200
FETCH_BYTES_MAX = 1 << 20
"""Bytes that one fetch takes of a partition; a larger record still comes, alone."""
BUFFER_BYTES_MAX = 64 << 20
"""Bytes of all partitions that wait in memory at a time, about: many partitions get less each."""
LATE_MS = 3_600_000
"""How long after its own time a record may have been appended and still be found by `--until`:
one that waited in the outbox is late. The log is read so much further than the time says."""

T = TypeVar("T")
Spans = Mapping[Part, Extent]


@asynccontextmanager
async def connected(settings: Settings, partitions: int = 1) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer in no group, so that nobody's partitions move. Raises LogUnavailable."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        client_id="headgate-replay",
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_wait_ms=POLL_MS,
        max_partition_fetch_bytes=min(FETCH_BYTES_MAX, BUFFER_BYTES_MAX // max(partitions, 1)),
        request_timeout_ms=int(ASK_WAIT_S * 1000),
    )
    try:
        await asked(settings, "let us in", consumer.start())
        yield consumer
    finally:
        await stopped(consumer.stop())
        # When Kafka is away, stop() may end before it has come to its connections.
        await stopped(consumer._client.close())  # noqa: SLF001


async def asked(settings: Settings, what: str, question: Awaitable[T]) -> T:
    """The answer, within `ASK_WAIT_S`. Raises LogUnavailable."""
    try:
        async with asyncio.timeout(ASK_WAIT_S):
            return await question
    except AWAY as error:
        said = f" ({error})" if isinstance(error, KafkaError) else ""
        raise LogUnavailable(
            f"Kafka at {settings.kafka} does not {what}{said}; is it up? `headgate doctor` tells"
        ) from error


async def spans_of(settings: Settings, selection: Selection) -> dict[Part, Extent]:
    """The offsets of each partition between which everything stands that is wanted, at this moment;
    `last` apart. Raises LogUnavailable, and SourceUnreadable for what is not there."""
    async with connected(settings) as consumer:
        parts = await _parts(settings, selection, consumer)
        kept = await _extents(settings, consumer, parts)
        begins = await _since(settings, consumer, parts, selection.since_ms)
        late_ms = None if selection.until_ms is None else selection.until_ms + LATE_MS
        closes = await _since(settings, consumer, parts, late_ms)
    return {part: _span(part, kept[part], selection, begins[part], closes[part]) for part in parts}


async def partitions_of(settings: Settings, topic: str) -> int:
    """How many partitions the topic of this full name has; 0 when there is no such topic. Raises
    LogUnavailable."""
    async with connected(settings) as consumer:
        # The public way would make the topic that it is asked for.
        cluster = await asked(settings, "tell its topics", consumer._client.fetch_all_metadata())  # noqa: SLF001
    return len(cluster.partitions_for_topic(topic) or ())


async def _parts(
    settings: Settings, selection: Selection, consumer: AIOKafkaConsumer
) -> list[Part]:
    """The partitions that are wanted."""
    # The public way, topics(), tells names only; asking for one topic would make it.
    cluster = await asked(settings, "tell its topics", consumer._client.fetch_all_metadata())  # noqa: SLF001
    found: list[Part] = []
    for topic in selection.topics or DEFAULT_TOPICS:
        numbers = cluster.partitions_for_topic(settings.prefix + topic)
        if not numbers:
            raise SourceUnreadable(_unknown(settings, topic, cluster.topics()))
        found += [(topic, number) for number in sorted(numbers)]
    missing = (selection.starts.keys() | selection.ends.keys()) - set(found)
    for topic, number in sorted(missing):
        count = sum(1 for name, _ in found if name == topic)
        raise SourceUnreadable(
            f"{topic} has no partition {number}: it has {count}, counted from 0"
            if count
            else f"an offset of {topic} is named, and --topic {topic} is not"
        )
    return [part for part in found if selection.has(part)]


def _unknown(settings: Settings, topic: str, names: set[str]) -> str:
    ours = sorted(
        name.removeprefix(settings.prefix) for name in names if name.startswith(settings.prefix)
    )
    where = f"namespace {settings.namespace}" if settings.namespace else "the live namespace"
    there = ", ".join(ours) or "none; `headgate topics` makes them"
    return f"{where} on Kafka at {settings.kafka} has no topic {topic}; there are: {there}"


async def _extents(
    settings: Settings, consumer: AIOKafkaConsumer, parts: list[Part]
) -> dict[Part, Extent]:
    targets = {part: target(settings, part) for part in parts}
    what = "tell how far its topics reach"
    starts = await asked(settings, what, consumer.beginning_offsets(list(targets.values())))
    ends = await asked(settings, what, consumer.end_offsets(list(targets.values())))
    return {part: Extent(starts[tp], ends[tp]) for part, tp in targets.items()}


async def _since(
    settings: Settings, consumer: AIOKafkaConsumer, parts: list[Part], at_ms: int | None
) -> dict[Part, int | None]:
    """Each partition's first record of this time or a later one; None when there is none."""
    if at_ms is None or not parts:
        return dict.fromkeys(parts)
    asked_for = {target(settings, part): at_ms for part in parts}
    found = await asked(
        settings, "tell what was written when", consumer.offsets_for_times(asked_for)
    )
    return {
        part: entry.offset if (entry := found.get(target(settings, part))) else None
        for part in parts
    }


def _span(
    part: Part, kept: Extent, selection: Selection, begin: int | None, close: int | None
) -> Extent:
    """What to read of a partition of which `kept` is there, given the offsets of the times."""
    start = selection.starts.get(part, kept.start)
    if start < kept.start:
        raise SourceUnreadable(
            f"{part[0]}, partition {part[1]}, begins at offset {kept.start} by now; what stood at"
            f" {start} was deleted when its time had come"
        )
    if selection.since_ms is not None:
        start = max(start, kept.end if begin is None else begin)
    end = min(selection.ends.get(part, kept.end), kept.end)
    if close is not None:
        end = min(end, close)
    return Extent(min(start, end), end)


def target(settings: Settings, part: Part) -> TopicPartition:
    """A partition in Kafka's words."""
    return TopicPartition(settings.prefix + part[0], part[1])
