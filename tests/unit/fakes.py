"""Stand-ins for what the loops lean on: the claim store, Kafka behind Faust, its events, exits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from headgate.streams.engine.claims import Claim, Identity, Ownership
from headgate.streams.errors import LogUnavailable, StoreUnavailable

TOPIC = "payments.commands"


class Left(BaseException):
    """Stands for the end of the process. Like the real one it cannot be caught by mistake."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Row:
    """A row of the table `claims`."""

    token: UUID
    owner: str
    next_offset: int
    published_offset: int


@dataclass
class FakeClaimStore:
    """The tables `claims` and `instances`, in memory, with a switch that takes them away."""

    rows: dict[tuple[str, int], Row] = field(default_factory=dict)
    incarnations: dict[str, int] = field(default_factory=dict)
    away: bool = False
    registered: int = 0
    beats: list[tuple[int, dict[str, list[int]], str]] = field(default_factory=list)
    advancing: asyncio.Event | None = None
    """Set: `advance` waits for it before it looks."""

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("PostgreSQL is away")

    async def register(self, instance_id: str, role: str, held: int) -> int:
        """The next incarnation, above what is held and what is stored."""
        await self._answer()
        self.registered += 1
        number = max(held, self.incarnations.get(instance_id, 0)) + 1
        self.incarnations[instance_id] = number
        await asyncio.sleep(0)
        return number

    async def newest(self, instance_id: str) -> int:
        """What is stored; 0 for nothing."""
        await self._answer()
        return self.incarnations.get(instance_id, 0)

    async def known(self, topic: str, partitions: Sequence[int]) -> set[int]:
        """The partitions that have a row."""
        await self._answer()
        return {p for p in partitions if (topic, p) in self.rows}

    async def take(self, topic: str, starts: Mapping[int, int], owner: str) -> dict[int, Claim]:
        """A fresh token for each partition."""
        await self._answer()
        for partition, start in starts.items():
            row = self.rows.setdefault((topic, partition), Row(uuid4(), owner, start, start))
            row.token, row.owner = uuid4(), owner
        rows = {p: self.rows[topic, p] for p in starts}
        return {p: Claim(r.token, r.next_offset, r.published_offset) for p, r in rows.items()}

    async def advance(self, topic: str, claims: Mapping[int, Claim]) -> bool:
        """Store positions, unless a token is not ours any more."""
        if self.advancing is not None:
            await self.advancing.wait()
        await self._answer()
        rows = {p: self.rows[topic, p] for p in claims}
        if any(rows[p].token != claim.token for p, claim in claims.items()):
            return False
        for partition, claim in claims.items():
            row = rows[partition]
            row.next_offset = max(row.next_offset, claim.next_offset)
            row.published_offset = max(row.published_offset, claim.published_offset)
        return True

    async def beat(
        self, instance_id: str, incarnation: int, owned: Mapping[str, Sequence[int]], problem: str
    ) -> bool:
        """Whether this incarnation is the one that is stored."""
        await self._answer()
        self.beats.append((incarnation, {t: list(p) for t, p in owned.items()}, problem))
        return self.incarnations.get(instance_id, 0) == incarnation

    def published(self, partition: int, topic: str = TOPIC) -> int:
        """The stored `published_offset`."""
        return self.rows[topic, partition].published_offset


@dataclass
class FakeMessage:
    """A record in Faust's clothes."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: float
    generation_id: int | None
    headers: object = None


class FakeEvent:
    """A record that remembers whether it was acknowledged."""

    def __init__(self, message: FakeMessage) -> None:
        self.message = message
        self.acked = 0

    def ack(self) -> bool:
        """Count the acknowledgement."""
        self.acked += 1
        return True

    def __repr__(self) -> str:
        return f"<{self.message.partition}@{self.message.offset} acked={self.acked}>"


@dataclass
class FakeSource:
    """The consumer: an assignment, rewinds that it remembers, and what the log holds."""

    generation: int = 1
    rewinds: list[tuple[int, int]] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)
    away: bool = False

    async def rewind(self, partition: int, offset: int) -> None:
        """Remember where reading is to begin again."""
        self.rewinds.append((partition, offset))

    def log_end(self, partition: int) -> int | None:
        """The end, None when nothing was heard of it."""
        return self.ends.get(partition)

    async def log_start(self, partition: int) -> int:
        """The first offset that is left."""
        if self.away:
            raise LogUnavailable("Kafka is away")
        return self.starts.get(partition, 0)


class Stream:
    """Faust's stream: yields what the test pushes, for ever."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[FakeEvent] = asyncio.Queue()

    def push(self, *events: FakeEvent) -> None:
        """Let the stream yield these next."""
        for event in events:
            self._queue.put_nowait(event)

    async def __aiter__(self) -> AsyncIterator[FakeEvent]:
        while True:
            yield await self._queue.get()


def event(
    offset: int, value: bytes | None = b"{}", *, partition: int = 0, generation: int = 1
) -> FakeEvent:
    """One record as Faust delivers it."""
    message = FakeMessage(partition, offset, b"key", value, 1.5, generation)
    return FakeEvent(message)


def events(offsets: Collection[int], *, partition: int = 0, generation: int = 1) -> list[FakeEvent]:
    """Records at these offsets."""
    return [event(o, b"%d" % o, partition=partition, generation=generation) for o in offsets]


def ownership(
    store: FakeClaimStore,
    *,
    instance_id: str = "headgate/settle/0",
    ends: Mapping[int, int] | None = None,
    commits: Mapping[int, int] | None = None,
) -> Ownership:
    """An Ownership over the fake store; the log ends and the group's commits are as given."""

    async def log_ends(_topic: str, _partitions: Collection[int]) -> Mapping[int, int]:
        return ends or {}

    async def group_commits(_topic: str, _partitions: Collection[int]) -> Mapping[int, int]:
        return commits or {}

    return Ownership(
        Identity(instance_id, "settle"), store, log_ends=log_ends, commits=group_commits
    )


async def own(mine: Ownership, *partitions: int, topic: str = TOPIC) -> dict[int, Claim]:
    """Be assigned these partitions and wait until they are claimed."""
    mine.assigned((topic, partition) for partition in partitions)
    await asyncio.wait_for(mine.ready.wait(), 5)
    return mine.of(topic)


async def until(condition: Callable[[], object], *, within_s: float = 5) -> None:
    """Wait until a callable is true; a test never sleeps for a guess."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  any condition, so nobody sets an event for it
            await asyncio.sleep(0.001)
