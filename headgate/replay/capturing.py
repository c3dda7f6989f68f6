"""Copies a source into a capture file, and keeps count of what went into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from headgate.replay.capture_file import CaptureFile
from headgate.replay.card_check import without_card_numbers
from headgate.replay.recorded import Recorded
from headgate.streams.connection import Position

POSITIONS_MAX = 10
"""Places of starred out card numbers that are told; the rest are counted."""


@dataclass(slots=True)
class Captured:
    """What is in the file by now."""

    by_topic: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    """Of keys, values and headers, before compression."""
    first_ms: int | None = None
    last_ms: int | None = None
    starred: int = 0
    """Records in which something that looks like a card number was starred out."""
    starred_at: list[Position] = field(default_factory=list)
    """Where the first of them stand on the log."""

    @property
    def records(self) -> int:
        """How many records there are."""
        return self.by_topic.total()

    def add(self, record: Recorded) -> None:
        """Count a record that was written."""
        self.by_topic[record.topic] += 1
        self.bytes += _size(record)
        first, last = self.first_ms, self.last_ms
        self.first_ms = record.at_ms if first is None else min(first, record.at_ms)
        self.last_ms = record.at_ms if last is None else max(last, record.at_ms)

    def star(self, record: Recorded) -> None:
        """Count a record in which something was starred out."""
        self.starred += 1
        if len(self.starred_at) < POSITIONS_MAX:
            self.starred_at.append(Position(record.topic, record.partition, record.offset))


async def copy(records: AsyncIterator[Recorded], file: CaptureFile, captured: Captured) -> None:
    """Write every record, without card numbers. Raises what reading and writing raise."""
    async for record in records:
        clean = without_card_numbers(record)
        file.write(clean)
        captured.add(clean)
        if clean is not record:
            captured.star(record)


def _size(record: Recorded) -> int:
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers
