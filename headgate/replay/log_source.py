"""A range of the log as a source of records."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import replace

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import OffsetOutOfRangeError

from headgate.replay.log_ranges import POLL_MS, Spans, asked, connected, spans_of, target
from headgate.replay.merge import Merge
from headgate.replay.recorded import Recorded, SourceUnreadable
from headgate.replay.selection import Part, Selection
from headgate.streams.connection import AWAY
from headgate.streams.errors import LogUnavailable
from headgate.streams.log_reader import Extent
from headgate.streams.settings import Settings

STALL_S = 30.0
"""How long Kafka may show nothing new before reading is given up; a broker that is restarted is
back sooner."""


class LogSource:
    """What stands on the log when it is first asked. What is appended afterwards is not part of it,
    so that a replay into the same topics comes to an end."""

    def __init__(self, settings: Settings, selection: Selection) -> None:
        self._settings = settings
        self._selection = selection
        self._spans: Spans | None = None
        self._settling = asyncio.Lock()

    async def records(self) -> AsyncGenerator[Recorded, None]:
        """The records, merged by time. Raises LogUnavailable, and SourceUnreadable for what is not
        there, or is deleted while it is read."""
        async with aclosing(self._read(await self.spans())) as records:
            async for record in records:
                if self._selection.wants(record):
                    yield record

    async def count(self) -> int | None:
        """How many records there are, when offsets alone tell; None with times or keys."""
        spans = await self.spans()
        if not self._selection.takes_every_record:
            return None
        return sum(span.end - span.start for span in spans.values())

    async def spans(self) -> Spans:
        """The offsets between which everything stands that is wanted, settled at the first call."""
        async with self._settling:
            if self._spans is None:
                spans: Spans = await spans_of(self._settings, self._selection)
                if self._selection.last is not None:
                    spans = await self._narrowed(spans, self._selection.last)
                self._spans = spans
        return self._spans

    async def frozen(self) -> list[str]:
        """The words of the command line that open the very same records again, at any time."""
        spans = await self.spans()
        exact = replace(
            self._selection,
            topics=tuple(dict.fromkeys(topic for topic, _ in spans)),
            starts={part: span.start for part, span in spans.items()},
            ends={part: span.end for part, span in spans.items()},
            last=None,
        )
        return ["log", *exact.words(), "--namespace", self._settings.namespace]

    async def _narrowed(self, spans: Spans, last: int) -> Spans:
        """Spans with the last so many wanted records in them, and no other wanted ones.

        The ends of the partitions are looked at first; it goes back further while one of them may
        hold more: keys and gaps make offsets more than records.
        """
        window = last
        while True:
            tails = {
                part: Extent(max(one.start, one.end - window), one.end)
                for part, one in spans.items()
            }
            found: Counter[Part] = Counter()
            newest: deque[tuple[Part, int]] = deque(maxlen=last)
            async with aclosing(self._read(tails)) as records:
                async for record in records:
                    if self._selection.wants(record):
                        part = (record.topic, record.partition)
                        found[part] += 1
                        newest.append((part, record.offset))
            if all(found[p] >= last or tails[p].start == spans[p].start for p in spans):
                return _beginning_at(spans, newest)
            window *= 8

    async def _read(self, spans: Spans) -> AsyncGenerator[Recorded, None]:
        """Everything between these offsets, merged by time."""
        wanted = {part: span for part, span in spans.items() if span.start < span.end}
        if not wanted:
            return
        merge = Merge(wanted)
        async with connected(self._settings, len(wanted)) as consumer:
            consumer.assign([target(self._settings, part) for part in wanted])
            for part, span in wanted.items():
                consumer.seek(target(self._settings, part), span.start)
            moved_at = time.monotonic()
            while merge.lacking:
                if await self._fetch(consumer, merge, wanted):
                    moved_at = time.monotonic()
                elif time.monotonic() - moved_at > STALL_S:
                    raise LogUnavailable(
                        f"Kafka at {self._settings.kafka} has shown nothing for {STALL_S:.0f} s"
                    )
                for record in merge.ready():
                    yield record
                    moved_at = time.monotonic()  # a pace may have kept us waiting, not Kafka

    async def _fetch(self, consumer: AIOKafkaConsumer, merge: Merge, wanted: Spans) -> bool:
        """Take what has arrived of the partitions that the merge waits for; whether that was
        anything."""
        lacking = {target(self._settings, part): part for part in merge.lacking}
        try:
            polled = await consumer.getmany(*lacking, timeout_ms=POLL_MS)
        except OffsetOutOfRangeError as error:
            raise SourceUnreadable(
                "records were deleted, because their time had come, while they were being read"
            ) from error
        except AWAY as error:
            raise LogUnavailable(f"Kafka at {self._settings.kafka} is away: {error!r}") from error
        for tp, records in polled.items():
            part = lacking[tp]
            merge.add(part, recorded(part[0], records, wanted[part].end))
        finished = [
            tp
            for tp, part in lacking.items()
            # Gaps are where records were compacted away or transactions ended, so the position
            # tells, not the last record.
            if await asked(self._settings, "tell a position", consumer.position(tp))
            >= wanted[part].end
        ]
        for tp in finished:
            merge.finish(lacking[tp])
        if finished:
            consumer.pause(*finished)
        return bool(polled or finished)


def recorded(topic: str, records: Iterable[ConsumerRecord], end: int | None) -> list[Recorded]:
    """Kafka's records as ours, up to an offset. A header without a value has an empty one."""
    return [
        Recorded(
            topic=topic,
            partition=one.partition,
            offset=one.offset,
            at_ms=one.timestamp,
            key=one.key,
            value=one.value,
            headers=tuple((name, value or b"") for name, value in one.headers),
        )
        for one in records
        if end is None or one.offset < end
    ]


def _beginning_at(spans: Spans, newest: Iterable[tuple[Part, int]]) -> Spans:
    """The spans from the first of these records on; empty where none is."""
    firsts: dict[Part, int] = {}
    for part, offset in newest:
        firsts.setdefault(part, offset)
    return {part: Extent(firsts.get(part, span.end), span.end) for part, span in spans.items()}
