"""Records on their way from Faust into a loop: claimed, of this assignment, without holes."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from headgate.streams.bus import Record
from headgate.streams.engine.claims import Claim, Ownership

log = structlog.get_logger(__name__)

REREAD_WAIT_S = 2.0
"""How long a record that is read again may take to arrive before it is sought once more. A fetch
that waits at the broker holds it up for `fetch_wait_ms`."""
REREAD_WAIT_MAX_S = 15.0
"""The longest of these waits; each is twice the one before."""


class Message(Protocol):
    """What Faust hands us of a record."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: float
    generation_id: int | None


class Event(Protocol):
    """A record in Faust's hands; `ack` lets its offset be committed."""

    @property
    def message(self) -> Message: ...
    def ack(self) -> bool: ...


@dataclass(slots=True)
class Delivered:
    """One record of a claimed partition."""

    topic: str
    """The topic's name without the namespace."""
    partition: int
    offset: int
    key: bytes
    value: bytes | None
    headers: Mapping[str, bytes]
    timestamp_ms: int
    event: Event

    def as_record(self, full_topic: str) -> Record:
        """The record as it came, for its dead letter."""
        return Record(
            topic=full_topic,
            partition=self.partition,
            key=self.key,
            value=self.value,
            headers=tuple(self.headers.items()),
            timestamp_ms=self.timestamp_ms,
        )


@dataclass(slots=True)
class Reread:
    """A hole that was sought: where, and when it may be sought again."""

    position: int
    again_at: float
    wait_s: float


class Source(Protocol):
    """What a loop needs of the consumer behind it."""

    @property
    def generation(self) -> int:
        """The assignment in force; records of an earlier one are read again by their owner."""

    async def rewind(self, partition: int, offset: int) -> None:
        """Read the partition again from `offset`."""

    def log_end(self, partition: int) -> int | None:
        """The end of the partition as last heard of, None when nothing was heard."""

    async def log_start(self, partition: int) -> int:
        """The first offset that retention has left. Raises LogUnavailable."""


class Intake:
    """The queue between Faust's stream and a loop. It hands out each partition's records without
    holes, from where PostgreSQL stands: what a rebalance lost on the way is read again (08 R4)."""

    def __init__(self, topic: str, source: Source, ownership: Ownership, waiting_max: int) -> None:
        self.topic = topic
        self._source = source
        self._ownership = ownership
        self._waiting: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._waiting_max = waiting_max
        self._holes: dict[int, int] = {}
        self._rereads: dict[int, Reread] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def feed(self, events: AsyncIterable[Event]) -> None:
        """Queue what the stream yields; holds the stream back when the queue is full."""
        async for event in events:
            await self._room.wait()
            self._waiting.append(event)
            self._arrived.set()
            if len(self._waiting) >= self._waiting_max:
                self._room.clear()

    def clear(self) -> None:
        """Forget what waits; its next owner reads it again."""
        self._waiting.clear()
        self._holes.clear()
        self._rereads.clear()
        self._room.set()

    async def wait(self, within_s: float) -> bool:
        """Whether records wait, now or within the limit."""
        if not self._waiting:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), within_s)
        return bool(self._waiting)

    def take(self, records_max: int) -> list[Delivered]:
        """At most `records_max` records, contiguous per partition from the claims' positions.
        Never waits: between taking and working the claims must not change. Takes nothing once a
        revoke has begun: it would not be waited for."""
        if not self._ownership.ready.is_set():
            return []
        claims = self._ownership.of(self.topic)
        generation = self._source.generation
        taken: list[Delivered] = []
        while self._waiting and len(taken) < records_max:
            event = self._waiting.popleft()
            message = event.message
            claim = claims.get(message.partition)
            if message.generation_id != generation:
                continue
            if claim is None:
                self._holes[message.partition] = message.offset
                continue
            if message.offset < claim.position:
                # Decided and published earlier: nothing to do but to let it be committed.
                event.ack()
            elif message.offset > claim.position:
                self._holes[message.partition] = message.offset
            else:
                claim.position += 1
                self._rereads.pop(message.partition, None)
                taken.append(self._delivered(message, event))
        if len(self._waiting) < self._waiting_max // 2:
            self._room.set()
        return taken

    async def close_holes(self) -> None:
        """Read again where a record was missing; the copies behind the hole are dropped as they
        come. A hole is sought again when that did not help, after longer and longer waits: each
        time throws away what is on its way, so on a slow machine it would never arrive. Raises
        LogUnavailable; the next record, or `reread_lost`, shows the hole again."""
        holes, self._holes = self._holes, {}
        for partition, seen in holes.items():
            claim = self._ownership.of(self.topic).get(partition)
            if claim is None:  # refused until now; may be claimed later
                self._holes[partition] = seen
                continue
            if not self._may_reread(partition, claim.position):
                continue
            await self._skip_removed(partition, claim)
            self._note_reread(partition, claim.position)
            log.warning(
                "reading again",
                topic=self.topic,
                partition=partition,
                expected=claim.position,
                seen=seen,
            )
            await self._source.rewind(partition, claim.position)

    def _may_reread(self, partition: int, position: int) -> bool:
        last = self._rereads.get(partition)
        return last is None or last.position != position or time.monotonic() >= last.again_at

    def _note_reread(self, partition: int, position: int) -> None:
        last = self._rereads.get(partition)
        repeated = last is not None and last.position == position
        wait_s = min(last.wait_s * 2, REREAD_WAIT_MAX_S) if last and repeated else REREAD_WAIT_S
        self._rereads[partition] = Reread(position, time.monotonic() + wait_s, wait_s)

    async def _skip_removed(self, partition: int, claim: Claim) -> None:
        """08 R4: only what retention removed is really gone, and nobody can wait for it."""
        start = await self._source.log_start(partition)
        if start > claim.position:
            log.critical(
                "retention removed records that nobody had worked on",
                topic=self.topic,
                partition=partition,
                first=claim.position,
                last=start - 1,
            )
            claim.position = start

    async def reread_lost(self) -> None:
        """Called when nothing arrives: go back to the claims' positions where the log goes on
        behind them. Records were lost between fetch and delivery and no later one shows it."""
        for partition, claim in self._ownership.of(self.topic).items():
            end = self._source.log_end(partition)
            if end is not None and end > claim.position:
                self._holes[partition] = end
        await self.close_holes()

    def _delivered(self, message: Message, event: Event) -> Delivered:
        headers = getattr(message, "headers", None) or {}
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        return Delivered(
            topic=self.topic,
            partition=message.partition,
            offset=message.offset,
            key=message.key or b"",
            value=message.value,
            headers=dict(pairs),
            timestamp_ms=round(message.timestamp * 1000),
            event=event,
        )
