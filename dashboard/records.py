"""Browsing a topic: windows of offsets that move back in time, the newest records first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from headgate.dashboard.whole_number import whole_number
from headgate.streams.clock import from_iso
from headgate.streams.ids import partition_of
from headgate.streams.log_reader import Extent, LogReader, Part, Seen
from headgate.streams.settings import Settings
from headgate.streams.topics import Topic, all_topics

ROWS_MAX = 50
"""Records on one page."""
READ_MAX = 2000
"""Records that one page reads at most, over all partitions."""
SCAN_MAX = 20_000
"""Records that one look for a key goes through; the next page goes on."""
BY_ANOTHER_KEY = ("webhooks.attempts", "delay.", ".dead")
"""Parts of the names of topics whose records lie in their origin's partition, whatever the key."""


class AskedWrongly(ValueError):
    """What cannot be looked for; the message is for the person."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody looks for. Everything but the topic may be left out."""

    topic: Topic
    partition: int | None = None
    offset: int | None = None
    until_ms: int | None = None
    key: str = ""
    below: Mapping[int, int] | None = None
    """By partition the offset below which the page begins: where the one before ended."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page."""

    seen: Sequence[Seen]
    older: str
    """Where the next page begins; empty when nothing older is kept."""
    complete: bool
    """False when reading took too long, so that some may be missing."""


def asked_of(query: Mapping[str, str], settings: Settings) -> Asked:
    """What the address asks for. Raises AskedWrongly."""
    topics = {topic.name: topic for topic in all_topics(settings)}
    name = query.get("topic") or "payments.commands"
    if name not in topics:
        raise AskedWrongly(f"There is no topic {name[:80]}.")
    partition, offset = _number(query, "partition"), _number(query, "offset")
    if partition is not None and partition >= settings.partitions:
        raise AskedWrongly(f"Partitions go from 0 to {settings.partitions - 1}.")
    if offset is not None and partition is None:
        raise AskedWrongly("An offset needs its partition.")
    return Asked(
        topics[name],
        partition,
        offset,
        _time(query.get("until", "")),
        query.get("key", "").strip(),
        _below(query.get("below", "")),
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    number = whole_number(text)
    if number is None:
        raise AskedWrongly(f"The {name} is a whole number, 0 or more.")
    return number


def _time(text: str) -> int | None:
    """A time as ISO 8601; without an offset it is UTC, as everything on these pages."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        at_ms = from_iso(moment.replace(tzinfo=moment.tzinfo or UTC).isoformat())
    except (ValueError, OverflowError):
        raise AskedWrongly("A time looks like 2026-11-26 08:15 (UTC).") from None
    if at_ms < 0:
        raise AskedWrongly("No record is older than 1970.")
    return at_ms


def _below(text: str) -> dict[int, int] | None:
    if not text:
        return None
    parts = text.split(".")
    numbers = [number for part in parts if (number := whole_number(part)) is not None]
    if len(numbers) < len(parts):
        raise AskedWrongly("This link is damaged.")
    return dict(enumerate(numbers))


async def record_at(reader: LogReader, topic: str, said: Mapping[str, str]) -> Seen | None:
    """The record of this topic that the parts of an address name; None when none is kept there.
    Raises LogUnavailable."""
    partition, offset = whole_number(said["partition"]), whole_number(said["offset"])
    if partition is None or offset is None:
        return None
    return await reader.one(topic, partition, offset)


async def find(reader: LogReader, settings: Settings, asked: Asked) -> Found:
    """One page. Raises LogUnavailable."""
    name = asked.topic.full_name(settings)
    extents = await reader.extents([name])
    ends = await _ends(reader, name, asked, extents)
    wanted = _partitions(asked, settings)
    most = max(1, SCAN_MAX // len(wanted)) if asked.key else min(
        ROWS_MAX, max(1, READ_MAX // len(wanted))
    )  # fmt: skip
    spans = {
        part: Extent(max(extents[part].start, ends[part] - most), ends[part])
        for part in extents
        if part[1] in wanted
    }
    key = asked.key.encode()
    reading = await reader.read(spans, lambda seen: not key or seen.record.key == key)
    shown = newest_first(reading.seen)[:ROWS_MAX]
    older = older_of(spans, reading.seen, shown)
    more = any(older[part] > extents[part].start for part in older)
    places = [older.get((name, number), 0) for number in range(settings.partitions)]
    return Found(shown, ".".join(map(str, places)) if more else "", reading.complete)


def _partitions(asked: Asked, settings: Settings) -> list[int]:
    if asked.partition is not None:
        return [asked.partition]
    if asked.key and not any(part in asked.topic.name for part in BY_ANOTHER_KEY):
        return [partition_of(asked.key, settings.partitions)]
    return list(range(settings.partitions))


async def _ends(
    reader: LogReader, name: str, asked: Asked, extents: Mapping[Part, Extent]
) -> dict[Part, int]:
    """Below which offset of each partition the page begins."""
    ends = {part: extent.end for part, extent in extents.items()}
    if asked.until_ms is not None:
        later = await reader.first_since(name, asked.until_ms + 1)
        ends |= {part: offset for part, offset in later.items() if offset is not None}
    if asked.offset is not None:
        ends = {part: min(end, asked.offset + 1) for part, end in ends.items()}
    if asked.below is not None:
        ends = {part: min(end, asked.below.get(part[1], end)) for part, end in ends.items()}
    return {part: max(end, extents[part].start) for part, end in ends.items()}


def newest_first(seen: Sequence[Seen]) -> list[Seen]:
    """By time, and in each partition by offset: a record counts as no newer than those behind it,
    so that a page never leaves one out between two that it shows."""
    times: dict[Part, int] = {}
    ranked = []
    for one in sorted(seen, key=lambda s: -s.position.offset):
        part = (one.position.topic, one.position.partition)
        times[part] = min(times.get(part, one.at_ms), one.at_ms)
        ranked.append((-times[part], one.position.partition, -one.position.offset, one))
    return [one for *_, one in sorted(ranked, key=lambda entry: entry[:3])]


def older_of(
    spans: Mapping[Part, Extent], seen: Sequence[Seen], shown: Sequence[Seen]
) -> dict[Part, int]:
    """Where the next page begins: below what is shown, or below all that was read."""
    older = {}
    for part, span in spans.items():
        mine = [s.position.offset for s in seen if (s.position.topic, s.position.partition) == part]
        kept = [
            s.position.offset for s in shown if (s.position.topic, s.position.partition) == part
        ]
        whole = len(kept) == len(mine)
        older[part] = span.start if whole else min(kept, default=span.end)
    return older


def _offsets(seen: Sequence[Seen], part: Part) -> list[int]:
    return [
        one.position.offset for one in seen if (one.position.topic, one.position.partition) == part
    ]
