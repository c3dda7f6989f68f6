"""Puts the records of several partitions into one order by time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush

from headgate.replay.recorded import Recorded
from headgate.replay.selection import Part


class Merge:
    """The order of (at_ms, topic, partition, offset), in which each partition keeps its own.

    A record can be handed out once every partition that goes on has shown its next one, so the
    caller reads those that `lacking` names.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        self._waiting: dict[Part, deque[Recorded]] = {part: deque() for part in parts}
        self._heads: list[tuple[int, str, int, int]] = []
        self._lacking = set(self._waiting)
        self._finished: set[Part] = set()

    @property
    def lacking(self) -> frozenset[Part]:
        """Partitions that go on and have shown no next record."""
        return frozenset(self._lacking)

    def add(self, part: Part, records: Iterable[Recorded]) -> None:
        """The next records of a partition, in its order."""
        self._waiting[part].extend(records)
        if part in self._lacking and self._waiting[part]:
            self._lacking.discard(part)
            self._show(part)

    def finish(self, part: Part) -> None:
        """Nothing more comes of this partition."""
        self._finished.add(part)
        self._lacking.discard(part)

    def ready(self) -> Iterator[Recorded]:
        """What can be handed out now."""
        while self._heads and not self._lacking:
            _, topic, partition, _ = heappop(self._heads)
            part = (topic, partition)
            yield self._waiting[part].popleft()
            if self._waiting[part]:
                self._show(part)
            elif part not in self._finished:
                self._lacking.add(part)

    def _show(self, part: Part) -> None:
        first = self._waiting[part][0]
        heappush(self._heads, (first.at_ms, first.topic, first.partition, first.offset))
