"""What the log is doing: how far topics reach, how far readers are, and what waits for its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from headgate.dashboard.rates import Rates
from headgate.streams.clock import now_ms
from headgate.streams.delays import NOT_BEFORE, look_at_ms, read_note
from headgate.streams.log_reader import Extent, LogReader, Part, Seen
from headgate.streams.settings import Settings
from headgate.streams.topics import TIERS, DelayTier, Topic, all_topics
from headgate.tables.postgres import Row

EXTENTS_KEPT_S = 0.9
SIZES_KEPT_S = 15.0
WAITING_KEPT_S = 3.0
"""For how long each of these is shown again: a page is drawn four times a second."""
HEAD_MAX = 100
"""Waiting records of one partition that are looked at. A tier holds each about equally long, so
those due first are among the first."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One topic as it is now."""

    topic: Topic
    partitions: int
    kept: int
    """Records between the first and the last offset; fewer in a compacted topic."""
    written: int
    """Records since the topic was made."""
    rate: float | None
    """Records a second."""
    size_bytes: int


@dataclass(frozen=True, slots=True)
class DelayRow:
    """One delay topic as it is now."""

    tier: DelayTier
    waiting: int
    due_ms: int | None
    """When the first of them is due; None when none waits."""
    overdue_ms: int
    """By how much it is late; 0 when it is not."""


class Kept(Generic[T]):
    """An answer that is given again for a while; one asker at a time finds out anew."""

    def __init__(self, keep_s: float, find: Callable[[], Awaitable[T]]) -> None:
        self._keep_s = keep_s
        self._find = find
        self._found: tuple[float, T] | None = None
        self._finding = asyncio.Lock()

    async def get(self) -> T:
        """The answer; raises what finding it raises."""
        async with self._finding:
            if self._found is None or time.monotonic() - self._found[0] > self._keep_s:
                self._found = (time.monotonic(), await self._find())
            return self._found[1]


class LogWatch:
    """One per process."""

    def __init__(self, settings: Settings, reader: LogReader) -> None:
        self._settings = settings
        self._reader = reader
        self._names = [topic.full_name(settings) for topic in all_topics(settings)]
        self._written = Rates()
        self.extents = Kept(EXTENTS_KEPT_S, self._find_extents)
        self._sizes = Kept(SIZES_KEPT_S, lambda: reader.sizes(self._names))
        self.delays = Kept(WAITING_KEPT_S, self._find_delays)

    async def topics(self) -> list[TopicRow]:
        """Every topic, in the order in which they are declared. Raises LogUnavailable."""
        extents, sizes = await self.extents.get(), await self._sizes.get()
        return [self._row(topic, extents, sizes) for topic in all_topics(self._settings)]

    async def behind(self, claims: Mapping[Part, int]) -> dict[Part, int]:
        """How many records each reader has left, by where it will go on. Topics by their short
        names, as in claims. Raises LogUnavailable."""
        extents = await self.extents.get()
        ends = {
            (topic, number): extents[self._settings.prefix + topic, number].end
            for topic, number in claims
            if (self._settings.prefix + topic, number) in extents
        }
        return {part: max(0, end - claims[part]) for part, end in ends.items()}

    async def _find_extents(self) -> dict[Part, Extent]:
        extents = await self._reader.extents(self._names)
        ends = {name: self._sum(extents, name) for name in self._names}
        self._written.note(time.monotonic(), ends)
        return extents

    def _sum(self, extents: Mapping[Part, Extent], name: str) -> int:
        return sum(extents[name, number].end for number in range(self._settings.partitions))

    def _row(
        self, topic: Topic, extents: Mapping[Part, Extent], sizes: Mapping[str, int]
    ) -> TopicRow:
        name = topic.full_name(self._settings)
        mine = [extents[name, number] for number in range(self._settings.partitions)]
        return TopicRow(
            topic=topic,
            partitions=len(mine),
            kept=sum(one.end - one.start for one in mine),
            written=sum(one.end for one in mine),
            rate=self._written.per_s(name),
            size_bytes=sizes[name],
        )

    async def _find_delays(self) -> list[DelayRow]:
        names = {tier.topic.full_name(self._settings): tier for tier in TIERS}
        extents = await self._reader.extents(names)
        commits = await self._reader.commits(self._settings.group("delay"), names)
        spans, gone = waiting_spans(extents, commits)
        heads = await self._heads(names, spans, gone)
        return [
            delay_row(tier, _waiting(name, spans, gone), heads.get(tier.label), now_ms())
            for name, tier in names.items()
        ]

    async def _heads(
        self,
        names: Mapping[str, DelayTier],
        spans: Mapping[Part, Extent],
        gone: Mapping[Part, set[int]],
    ) -> dict[str, int]:
        """By tier when its first record is due, among those that are looked at."""
        heads: dict[str, int] = {}

        def look(seen: Seen) -> bool:
            where = (seen.position.topic, seen.position.partition)
            due_ms = due_of(names[where[0]], seen, now_ms())
            if due_ms is not None and seen.position.offset not in gone[where]:
                label = names[where[0]].label
                heads[label] = min(heads.get(label, due_ms), due_ms)
            return False

        looked_at = {
            part: Extent(span.start, min(span.end, span.start + HEAD_MAX))
            for part, span in spans.items()
        }
        await self._reader.read(looked_at, look)
        return heads


def waiting_spans(
    extents: Mapping[Part, Extent], commits: Mapping[Part, tuple[int, str]]
) -> tuple[dict[Part, Extent], dict[Part, set[int]]]:
    """What the pump has not finished of each partition, and which of it is gone all the same."""
    spans, gone = {}, {}
    for part, extent in extents.items():
        offset, note = commits.get(part, (extent.start, ""))
        start = min(max(offset, extent.start), extent.end)
        ahead = {offset + distance for distance in read_note(note)}
        spans[part] = Extent(start, extent.end)
        gone[part] = {one for one in ahead if start <= one < extent.end}
    return spans, gone


def _waiting(name: str, spans: Mapping[Part, Extent], gone: Mapping[Part, set[int]]) -> int:
    mine = [part for part in spans if part[0] == name]
    return sum(spans[part].end - spans[part].start - len(gone[part]) for part in mine)


def due_of(tier: DelayTier, seen: Seen, at_ms: int) -> int | None:
    """When the pump looks at a waiting record; None when its headers do not say, and it will be a
    dead letter."""
    raw = dict(seen.record.headers).get(NOT_BEFORE, b"")
    if not (raw.isdigit() and len(raw) <= 15):  # noqa: PLR2004  as the pump reads it
        return None
    return look_at_ms(tier, int(raw), seen.at_ms, at_ms)


def delay_row(tier: DelayTier, waiting: int, due_ms: int | None, at_ms: int) -> DelayRow:
    """A tier with `waiting` records, the first of which is due at `due_ms`."""
    due_ms = due_ms if waiting else None
    return DelayRow(tier, waiting, due_ms, max(0, at_ms - due_ms) if due_ms is not None else 0)


@dataclass(frozen=True, slots=True)
class ReaderRow:
    """What one role reads of one topic."""

    role: str
    topic: str
    owned: int
    """Partitions that a worker has claimed."""
    behind: int
    worst: str
    """The partition that is furthest behind; empty when none is."""
    rate: float | None


def reader_rows(
    claims: Sequence[Row], behind: Mapping[Part, int], claimed: Rates
) -> list[ReaderRow]:
    """Readers by role and topic. A claim's owner is `namespace/role/slot#incarnation`."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for claim in claims:
        role = claim["owner"].rpartition("#")[0].split("/")[1]
        part = (claim["topic"], claim["partition"])
        groups.setdefault((role, part[0]), []).append(part)
    return [_reader_row(*key, parts, behind, claimed) for key, parts in sorted(groups.items())]


def _reader_row(
    role: str, topic: str, parts: Sequence[Part], behind: Mapping[Part, int], claimed: Rates
) -> ReaderRow:
    lags = {part: behind.get(part, 0) for part in parts}
    worst = max(parts, key=lambda part: lags[part])
    rates = [rate for part in parts if (rate := claimed.per_s(part)) is not None]
    return ReaderRow(
        role=role,
        topic=topic,
        owned=len(parts),
        behind=sum(lags.values()),
        worst=f"partition {worst[1]}: {lags[worst]:,}" if lags[worst] else "",
        rate=sum(rates) if rates else None,
    )
