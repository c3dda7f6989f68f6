"""A merchant's events behind a cursor, read from PostgreSQL: none skipped, none twice (08 R17).

Each partition has one writer, and what it writes becomes visible in the order of the log, together
with the position that it has reached. So what lies below a position that was read before is all
there and stays as it is, however much is written meanwhile.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from headgate.streams import ids
from headgate.streams.commands import Mode
from headgate.streams.settings import Settings
from headgate.tables.event_cursors import Cursor, Place
from headgate.tables.postgres import Postgres, Row

WINDOW_MAX = 2000
"""Most operations of one partition that are looked at in one round."""
ROUNDS_MAX = 8
"""Rounds before a page is given out as it is: a filter may fit almost nothing."""
FACTS_AT_ONCE = 200
"""Facts that are read at once where a filter may drop most of them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose events, and which. `about` is the id of a payment or of one of its children."""

    merchant_id: str
    mode: Mode
    types: tuple[str, ...] = ()
    """Exact types, prefixes such as `payment.*`, or `*`; none are all of them."""
    about: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Events before this time."""

    def spans(self, at: datetime) -> bool:
        """Whether what was told at this time is asked for."""
        return (self.since is None or at >= self.since) and (self.until is None or at < self.until)


class Told(NamedTuple):
    """An event in its frozen bytes, and the cursor right behind it."""

    event_id: str
    payment_id: str
    type: str
    payload: bytes
    cursor: Cursor


class Page(NamedTuple):
    """Events and the cursor behind all that was looked at. `more`: there may be more by now."""

    events: list[Told]
    cursor: Cursor
    more: bool


class _Window(NamedTuple):
    """Operations in the order of their times; `whole` is whether there are no others."""

    operations: list[Row]
    whole: bool


class Feed:
    """Reads pages. All methods raise StoreUnavailable."""

    def __init__(self, settings: Settings, postgres: Postgres) -> None:
        self._partitions = settings.partitions
        self._postgres = postgres

    async def page(
        self, asked: Asked, cursor: Cursor, settled: Mapping[int, int], limit: int
    ) -> Page:
        """At most `limit` events behind the cursor and below the positions `settled`, which were
        read before."""
        payment_id = await self._payment_of(asked)
        if asked.about is not None and payment_id is None:
            return Page([], cursor, more=False)
        reader = _Reader(dict(cursor), asked, limit)
        size = limit + 1
        for _ in range(ROUNDS_MAX):
            window = await self._window(asked, payment_id, reader.places, settled, size)
            for batch in _batches(window.operations, reader.wanted):
                if not reader.take(batch, await self._facts(batch, asked)):
                    return Page(reader.events, reader.places, more=True)
            if window.whole:
                return Page(reader.events, _at_least(reader.places, settled), more=False)
            size = min(size * 2, WINDOW_MAX)
        return Page(reader.events, reader.places, more=True)

    async def _payment_of(self, asked: Asked) -> str | None:
        """The payment that the events are about, None when they are not about one, or when there
        is none."""
        if asked.about is None or asked.about.startswith("pay_"):
            return asked.about
        whose = (asked.merchant_id, asked.mode)
        row = await self._postgres.fetch_row("child_owner", asked.about, *whose)
        return row["payment_id"] if row else None

    async def _window(
        self,
        asked: Asked,
        payment_id: str | None,
        places: Cursor,
        settled: Mapping[int, int],
        size: int,
    ) -> _Window:
        whose = (asked.merchant_id, asked.mode)
        if payment_id is not None:
            partition = ids.partition_of(payment_id, self._partitions)
            place, below = places.get(partition, Place(0)), settled.get(partition, 0)
            rows = await self._postgres.fetch(
                "events_window_of_payment", *whose, payment_id, *place, below, size
            )
            return _Window(list(rows), len(rows) < size)
        behind = {p: places.get(p, Place(0)) for p, below in settled.items()}
        open_ = [p for p, place in behind.items() if place.offset < settled[p]]
        if not open_:
            return _Window([], whole=True)
        rows = await self._postgres.fetch(
            "events_window", *whose, open_, [behind[p].offset for p in open_],
            [behind[p].sequence for p in open_], [settled[p] for p in open_], size,
        )  # fmt: skip
        return _merged(rows, size)

    async def _facts(self, batch: Sequence[Row], asked: Asked) -> dict[str, list[Row]]:
        spanned = [row for row in batch if asked.spans(row["created_at"])]
        found: dict[str, list[Row]] = defaultdict(list)
        if not spanned:
            return found
        rows = await self._postgres.fetch(
            "events_told",
            [row["payment_id"] for row in spanned],
            [row["first_sequence"] for row in spanned],
            [row["last_sequence"] for row in spanned],
            like_patterns(asked.types),
        )
        for row in rows:
            found[row["payment_id"]].append(row)
        return found


class _Reader:
    """Takes facts in their order and moves the places along."""

    def __init__(self, places: dict[int, Place], asked: Asked, limit: int) -> None:
        self.places = places
        self.events: list[Told] = []
        self._asked = asked
        self._limit = limit

    @property
    def wanted(self) -> int:
        """How many facts to read at once."""
        left = self._limit + 1 - len(self.events)
        return max(left, FACTS_AT_ONCE) if self._asked.types or self._asked.about else left

    def take(self, batch: Sequence[Row], facts: Mapping[str, Sequence[Row]]) -> bool:
        """Take these operations' facts; False once the page is full and there is one more."""
        for operation in batch:
            partition, offset = operation["partition"], operation["offset"]
            for fact in self._new(operation, facts[operation["payment_id"]]):
                if len(self.events) == self._limit:
                    return False
                self.places[partition] = Place(offset, fact["sequence"])
                told = (fact["event_id"], fact["payment_id"], fact["type"], fact["payload"])
                self.events.append(Told(*told, dict(self.places)))
            self.places[partition] = Place(offset + 1)
        return True

    def _new(self, operation: Row, facts: Sequence[Row]) -> Iterator[Row]:
        """What an operation told beyond its place, about what is asked for."""
        place = self.places.get(operation["partition"], Place(0))
        seen = place.sequence if place.offset == operation["offset"] else 0
        first, last = max(operation["first_sequence"], seen + 1), operation["last_sequence"]
        about = self._asked.about
        for fact in facts:
            if first <= fact["sequence"] <= last and (about is None or _is_about(fact, about)):
                yield fact


def like_patterns(types: Sequence[str]) -> list[str] | None:
    """Exact types and prefixes as patterns of SQL's `like`; None when everything is asked for."""
    escaped = [one.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") for one in types]
    return [one.removesuffix("*") + "%" if one.endswith("*") else one for one in escaped] or None


def _is_about(fact: Row, object_id: str) -> bool:
    """Whether a fact is about a payment or one of its children."""
    data: dict[str, Any] = orjson.loads(fact["payload"])["data"]
    return any(told["id"] == object_id for told in data.values())


def _merged(rows: Sequence[Row], size: int) -> _Window:
    """The partitions' operations by time, each partition in its order. Where a partition may go on
    behind its rows, so may the others only up to there."""
    by_partition: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        by_partition[row["partition"]].append(row)
    cut = {partition for partition, found in by_partition.items() if len(found) == size}
    left = {partition: len(found) for partition, found in by_partition.items()}
    merged: list[Row] = []
    for row in heapq.merge(*by_partition.values(), key=_time):
        merged.append(row)
        left[row["partition"]] -= 1
        if row["partition"] in cut and not left[row["partition"]]:
            return _Window(merged, whole=False)
    return _Window(merged, whole=True)


def _time(row: Row) -> tuple[object, int]:
    return row["created_at"], row["partition"]


def _batches(operations: Sequence[Row], facts: int) -> Iterator[list[Row]]:
    """The operations in parts that told about so many facts."""
    part: list[Row] = []
    told = 0
    for row in operations:
        part.append(row)
        told += row["last_sequence"] - row["first_sequence"] + 1
        if told >= facts:
            yield part
            part, told = [], 0
    if part:
        yield part


def _at_least(places: Mapping[int, Place], settled: Mapping[int, int]) -> Cursor:
    """The cursor once everything below `settled` was looked at."""
    ends = {partition: Place(below) for partition, below in settled.items()}
    return {
        partition: max(places.get(partition, Place(0)), ends.get(partition, Place(0)))
        for partition in sorted({*places, *ends})
    }
