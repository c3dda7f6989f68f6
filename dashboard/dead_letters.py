"""Dead letters as a process remembers them: read once, grouped by why they died."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from headgate.streams.bus import Record
from headgate.streams.cards import masked
from headgate.streams.log_reader import Extent, LogReader, Part, Seen
from headgate.streams.settings import Settings
from headgate.streams.topics import SOURCES, TIERS, dead_letters_of
from headgate.tables.dead_letters import Handled, Spot

LETTERS_MAX = 500
"""Dead letters of one partition that are remembered, the newest ones."""
REASON_CHARACTERS_MAX = 300
_VARIES = re.compile(r"\b[a-z]{2,5}_(?:(?:test|live)_)?[A-Za-z0-9]{8,}\b|\b[0-9]+\b")
_ORIGIN = frozenset(
    ("x-origin-topic", "x-origin-partition", "x-origin-offset", "x-origin-time", "x-reason")
)
TOO_LARGE = "x-value-bytes"
"""The header of a letter whose record was too large to be repeated in it."""
REPLAYED_FROM = "x-replayed-from"
"""The header of a record that was a dead letter, and where that stands."""


@dataclass(frozen=True, slots=True)
class Letter:
    """What is remembered of a dead letter: not its value."""

    spot: Spot
    reason: str
    origin: str
    """Where its record stood, such as `payments.commands/3@18422`."""
    key: str

    @property
    def group(self) -> str:
        """Names all letters of its topic that died of the same, whatever ids it was about."""
        said = f"{self.spot.topic} {same(self.reason)}"
        return hashlib.sha256(said.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Group:
    """Letters that died of the same."""

    id: str
    topic: str
    reason: str
    letters: Sequence[Letter]
    """The newest first."""
    open: int
    first_ms: int
    last_ms: int


def same(reason: str) -> str:
    """A reason without what differs from letter to letter: ids and numbers."""
    return _VARIES.sub("…", reason)


def grouped(letters: Iterable[Letter], handled: Mapping[Spot, Handled]) -> list[Group]:
    """The letters by reason; groups with open ones first, then the one seen last."""
    found: dict[str, list[Letter]] = {}
    for letter in sorted(letters, key=lambda one: -one.spot.written_ms):
        found.setdefault(letter.group, []).append(letter)
    groups = [_group(name, members, handled) for name, members in found.items()]
    return sorted(groups, key=lambda group: (not group.open, -group.last_ms))


def _group(name: str, members: Sequence[Letter], handled: Mapping[Spot, Handled]) -> Group:
    return Group(
        id=name,
        topic=members[0].spot.topic,
        reason=same(members[0].reason),
        letters=members,
        open=sum(letter.spot not in handled for letter in members),
        first_ms=members[-1].spot.written_ms,
        last_ms=members[0].spot.written_ms,
    )


def letter_of(seen: Seen, prefix: str) -> Letter:
    """What is remembered of a record of a dead letter topic."""
    headers = {name: value.decode(errors="replace") for name, value in seen.record.headers}
    where, said = seen.position, headers.get
    origin = f"{said('x-origin-topic', '?').removeprefix(prefix)}/{said('x-origin-partition', '?')}"
    return Letter(
        spot=Spot(where.topic.removeprefix(prefix), where.partition, where.offset, seen.at_ms),
        reason=masked(said("x-reason", "no reason is told"))[:REASON_CHARACTERS_MAX],
        origin=f"{origin}@{said('x-origin-offset', '?')}",
        key=masked(seen.record.key.decode(errors="replace"))[:80],
    )


class Shelf:
    """The newest dead letters of every topic."""

    def __init__(self, settings: Settings, reader: LogReader) -> None:
        self._prefix = settings.prefix
        self._reader = reader
        self._topics = [dead_letters_of(topic).full_name(settings) for topic in SOURCES]
        self._known: dict[Part, Extent] = {}
        self._letters: dict[Part, dict[int, Letter]] = {}
        self._reading = asyncio.Lock()

    async def letters(self) -> list[Letter]:
        """All that are remembered, after a look for new ones. Raises LogUnavailable."""
        async with self._reading:
            extents = await self._reader.extents(self._topics)
            spans = {part: self._unread(part, extent) for part, extent in extents.items()}
            reading = await self._reader.read(spans, self._remember)
            if reading.complete:
                self._known = extents
        return [letter for mine in self._letters.values() for letter in mine.values()]

    def _unread(self, part: Part, extent: Extent) -> Extent:
        """What is new; a partition that ends before where it was read to was made anew."""
        before = self._known.get(part)
        mine = self._letters.setdefault(part, {})
        if before is not None and before.end > extent.end:
            mine.clear()
            before = None
        first = max(extent.start, extent.end - LETTERS_MAX)
        for offset in [offset for offset in mine if offset < first]:
            del mine[offset]
        return Extent(max(first, before.end if before else 0), extent.end)

    def _remember(self, seen: Seen) -> bool:
        where = seen.position
        letter = letter_of(seen, self._prefix)
        self._letters[where.topic, where.partition][where.offset] = letter
        return False


def replayed(seen: Seen, settings: Settings) -> Record | None:
    """The record that died, to be appended where it came from; None when its letter does not hold
    it. It keeps its key, its bytes and so its ids: whoever has worked on it drops the repeat."""
    headers = dict(seen.record.headers)
    if TOO_LARGE in headers:
        return None
    where = seen.position
    return Record(
        topic=_source(headers, where.topic, settings),
        partition=where.partition,
        key=seen.record.key,
        value=seen.record.value,
        headers=(
            *(
                pair
                for pair in seen.record.headers
                if pair[0] not in _ORIGIN and pair[0] != REPLAYED_FROM
            ),
            (REPLAYED_FROM, str(where).encode()),
        ),
    )


def _source(headers: Mapping[str, bytes], dead_topic: str, settings: Settings) -> str:
    """Where it came from, if that is one of our topics: anybody may write headers."""
    named = headers.get("x-origin-topic", b"").decode(errors="replace")
    ours = [topic.full_name(settings) for topic in (*SOURCES, *(tier.topic for tier in TIERS))]
    return named if named in ours else dead_topic.removesuffix(".dead")
