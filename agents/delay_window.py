"""What the delay pump holds of one partition: read, waiting for its time, not yet committed."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import islice

from headgate.streams.bus import Record
from headgate.streams.delays import NOT_BEFORE, TARGET, read_note, write_note
from headgate.streams.errors import CannotDecode
from headgate.streams.topics import DelayTier


@dataclass(frozen=True, slots=True)
class Parked:
    """One record in the window."""

    due_ms: int
    """When it is looked at: at its `not_before_ms`, or earlier to go on to a nearer tier."""
    offset: int
    not_before_ms: int
    record: Record
    """What goes to the target, without the delay's headers."""

    def __lt__(self, other: Parked) -> bool:
        return (self.due_ms, self.offset) < (other.due_ms, other.offset)


@dataclass(slots=True)
class Window:
    """The records of one partition from its commit position on, a heap by due time (08 R26).

    Records leave in the order in which they are due, and the commit is the contiguous prefix of
    those that were handed off. The ones behind it that are gone already are noted beside it, so
    that a crash does not repeat them. At most `size` are held; what one fetch brings may exceed it.
    """

    tier: DelayTier
    size: int
    next_offset: int | None = None
    """The next record to take in; None until the group's commit is known."""
    unsaved: bool = False
    """Whether more was handed off than the last commit says."""
    rereads: int = 0
    waiting: list[Parked] = field(default_factory=list)
    span: deque[int] = field(default_factory=deque)
    """Every offset since the commit position, in order, those handed off included."""
    handed_off: set[int] = field(default_factory=set)

    @property
    def full(self) -> bool:
        """Whether reading must pause."""
        return len(self.span) >= self.size

    @property
    def roomy(self) -> bool:
        """Whether reading may go on; well below `full`, so that it does not flutter."""
        return len(self.span) <= self.size // 2

    def start(self, offset: int, note: str) -> None:
        """Begin where the group stands, with the note that its commit carried."""
        self.next_offset = offset
        self.handed_off = {offset + ahead for ahead in read_note(note)}

    def commit(self) -> tuple[int, str]:
        """The offset to commit, everything below was handed off, and what was handed off above."""
        assert self.next_offset is not None, "nothing was handed off before the start"  # noqa: S101
        position = self.span[0] if self.span else self.next_offset
        return position, write_note(offset - position for offset in self.handed_off)

    def take(self, parked: Parked) -> None:
        """Hold the next record of the partition."""
        assert parked.offset == self.next_offset, "records enter without holes"  # noqa: S101
        self.next_offset = parked.offset + 1
        self.span.append(parked.offset)
        heapq.heappush(self.waiting, parked)

    def skip(self, offset: int) -> bool:
        """Whether the next record was handed off before the start; then it is not held again."""
        if offset not in self.handed_off:
            return False
        self.next_offset = offset + 1
        self.span.append(offset)
        self._trim()
        return True

    def due(self, now_ms: int) -> list[Parked]:
        """Take out what is due; `finish` or `put_back` must follow for each.

        A full window of which half was handed off is held up by the few at its front: they are
        taken out as well, to go on to a nearer tier, so that one far-off record cannot keep the
        ones behind it from being read.
        """
        found = []
        while self.waiting and self.waiting[0].due_ms <= now_ms:
            found.append(heapq.heappop(self.waiting))
        if self.full and 2 * len(self.handed_off) >= self.size:
            front = set(islice(self.span, self.size // 2 + 1))
            found += [one for one in self.waiting if one.offset in front]
            self.waiting = [one for one in self.waiting if one.offset not in front]
            heapq.heapify(self.waiting)
        return found

    def finish(self, offset: int) -> None:
        """The record is where it was to go, acknowledged by the log."""
        self.handed_off.add(offset)
        self.unsaved = True
        self._trim()

    def _trim(self) -> None:
        while self.span and self.span[0] in self.handed_off:
            self.handed_off.remove(self.span.popleft())

    def put_back(self, parked: Parked) -> None:
        """The hand-off did not happen: wait for the next try."""
        heapq.heappush(self.waiting, parked)


def opened(record: Record, targets: Collection[str]) -> tuple[Record, int]:
    """The record as its target is to see it, and not before when, in milliseconds since 1970.

    Raises CannotDecode when the headers do not say where to or when, or name a topic that is not
    one of `targets`: publishing to it would wait for ever.
    """
    # A header may be there without a value.
    headers: dict[str, bytes | None] = dict(record.headers)
    target = (headers.get(TARGET) or b"").decode(errors="replace")
    if target not in targets:
        raise CannotDecode(f"the header {TARGET!r} names no topic that agents read: {target!r}")
    raw = headers.get(NOT_BEFORE) or b""
    if not (raw.isdigit() and len(raw) <= 15):  # noqa: PLR2004  milliseconds until 33658
        raise CannotDecode(
            f"the header {NOT_BEFORE!r} is not milliseconds since 1970: {raw[:40]!r}"
        )
    onward = Record(
        topic=target,
        partition=record.partition,
        key=record.key,
        value=record.value,
        headers=tuple(pair for pair in record.headers if pair[0] not in (NOT_BEFORE, TARGET)),
    )
    return onward, int(raw)
