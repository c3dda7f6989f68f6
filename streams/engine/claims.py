"""Ownership of partitions: no work without a claim that the store stands behind (03 §11.2)."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, Protocol
from uuid import UUID

import structlog

from headgate.streams.errors import ClaimLost, Unavailable

log = structlog.get_logger(__name__)

EXIT_BUG = 1
"""An error that nobody foresaw: the process ends, visibly, and the records come again."""
EXIT_CLAIM_LOST = 75
"""Another process owns the partition: start afresh, at once."""
EXIT_SUPERSEDED = 76
"""A newer process has our instance id: leave for good."""

Offsets = Callable[[str, Collection[int]], Awaitable[Mapping[int, int]]]
"""Per partition of a topic an offset: of the log's end, or of the group's commit (0: none)."""


@dataclass(slots=True)
class Claim:
    """The right to work on one partition, and how far the work has come.

    `next_offset` is decided, `published_offset` has its outputs acknowledged (08 R3);
    `position` is the next record to take in; records below `log_end` may have been worked on by
    an earlier owner.
    """

    token: UUID
    next_offset: int
    published_offset: int
    position: int = 0
    log_end: int = 0
    saved_offset: int = -1

    def __post_init__(self) -> None:
        self.position = self.published_offset


class ClaimStore(Protocol):
    """Where claims are kept: PostgreSQL, so that the work's own statement can check them."""

    async def register(self, instance_id: str, role: str, held: int) -> int: ...
    async def newest(self, instance_id: str) -> int: ...
    async def known(self, topic: str, partitions: Sequence[int]) -> set[int]: ...
    async def take(self, topic: str, starts: Mapping[int, int], owner: str) -> dict[int, Claim]: ...
    async def advance(self, topic: str, claims: Mapping[int, Claim]) -> bool: ...
    async def beat(
        self, instance_id: str, incarnation: int, owned: Mapping[str, Sequence[int]], problem: str
    ) -> bool: ...


class Halting(Protocol):
    """A loop that works on claimed partitions; `waiting_for` names what it cannot go on without."""

    waiting_for: str | None

    async def halt(self, within_s: float) -> None:
        """Let the work in flight finish, at most `within_s`, then cancel it; drop what waits."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this process is."""

    instance_id: str
    role: str


class Ownership:
    """What this process may work on. Claims are taken in the background: an exception inside
    Faust's assigned signal crashes the worker, and its heartbeats wait for the signal (08 R5)."""

    def __init__(
        self, identity: Identity, store: ClaimStore, *, log_ends: Offsets, commits: Offsets
    ) -> None:
        self.identity = identity
        self.store = store
        self.claims: dict[tuple[str, int], Claim] = {}
        self.loops: list[Halting] = []
        self.on_release: list[Callable[[], None]] = []
        self.on_refused: list[Callable[[Collection[tuple[str, int]]], None]] = []
        """Told, after every try to claim, the partitions that nobody may work on."""
        self.ready = asyncio.Event()
        self.incarnation = 0
        self.problem = ""
        self._log_ends, self._commits = log_ends, commits
        self._taking: asyncio.Task[None] | None = None
        # The heartbeat and a claim may ask at once; two numbers for one process would make it
        # believe that it was superseded by itself.
        self._registering = asyncio.Lock()

    def of(self, topic: str) -> dict[int, Claim]:
        """The claims on one topic."""
        return {part: claim for (name, part), claim in self.claims.items() if name == topic}

    async def advance(self, topic: str, claims: Mapping[int, Claim]) -> None:
        """Store how far the work has come. Raises ClaimLost when another process took over what
        is still ours; of what we have let go of meanwhile a refusal is no news."""
        if await self.store.advance(topic, claims):
            return
        held = self.of(topic)
        if self.ready.is_set() and all(held.get(part) is claim for part, claim in claims.items()):
            raise ClaimLost(f"{topic} partitions {sorted(claims)} were taken over")

    def assigned(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Begin to claim what the broker assigned; returns at once."""
        if self._taking is not None:
            self._taking.cancel()
        self._taking = asyncio.create_task(self._take_when_possible(sorted(partitions)))

    async def revoked(self, within_s: float) -> None:
        """Let go of everything: loops end the batch in flight, within the limit, first."""
        self.ready.clear()
        if self._taking is not None:
            self._taking.cancel()
        await asyncio.gather(*(loop.halt(within_s) for loop in self.loops))
        for release in self.on_release:
            release()
        self.claims.clear()

    async def _take_when_possible(self, partitions: list[tuple[str, int]]) -> None:
        """Claim until nothing is left to claim; what is refused is asked for again and again."""
        wait_s = 0.1
        claimed: dict[tuple[str, int], Claim] = {}
        while True:
            try:
                taken, partitions = await self._take(partitions)
                claimed |= taken
                self.claims = claimed
                self._tell_refused(partitions)
                if claimed or not partitions:
                    self.ready.set()
                if not partitions:
                    return
            except Unavailable as error:
                self.problem = str(error)
                log.warning("claims wait", reason=str(error))
            except Exception:  # the last boundary: without claims a live process does nothing
                log.critical("claiming failed", exc_info=True)
                leave(EXIT_BUG)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, 2.0)

    async def _take(
        self, partitions: list[tuple[str, int]]
    ) -> tuple[dict[tuple[str, int], Claim], list[tuple[str, int]]]:
        """The claims on what may be worked on, and the partitions that are refused."""
        await self.register()
        await self.leave_if_superseded()
        taken: dict[tuple[str, int], Claim] = {}
        refused: list[tuple[str, int]] = []
        for topic in sorted({topic for topic, _ in partitions}):
            mine = {partition for name, partition in partitions if name == topic}
            lost = await self._lost_positions(topic, mine)
            refused += [(topic, partition) for partition in sorted(lost)]
            if mine - lost:
                taken |= await self._take_topic(topic, sorted(mine - lost))
        log.info("claimed", partitions=[f"{topic}/{part}" for topic, part in taken])
        return taken, refused

    async def _take_topic(self, topic: str, partitions: list[int]) -> dict[tuple[str, int], Claim]:
        owner = f"{self.identity.instance_id}#{self.incarnation}"
        taken = await self.store.take(topic, dict.fromkeys(partitions, 0), owner)
        ends = await self._log_ends(topic, partitions)
        for partition, claim in taken.items():
            claim.log_end = ends.get(partition, 0)
        return {(topic, partition): claim for partition, claim in taken.items()}

    async def _lost_positions(self, topic: str, partitions: set[int]) -> set[int]:
        """08 R4: an empty PostgreSQL must not replay requests to a bank. What has commits and no
        position is refused until an operator has acted; nothing else waits for it."""
        missing = partitions - await self.store.known(topic, sorted(partitions))
        if not missing:
            return set()
        commits = await self._commits(topic, missing)
        return {partition for partition in missing if commits.get(partition, 0) > 0}

    def _tell_refused(self, refused: list[tuple[str, int]]) -> None:
        self.problem = ""
        if refused:
            names = ", ".join(f"{topic}/{partition}" for topic, partition in refused)
            self.problem = (
                f"partitions {names} have been worked on before, but PostgreSQL does not know how"
                " far: restore PostgreSQL, or run `headgate rebuild`"
            )
            log.critical("partitions refused", reason=self.problem)
        for tell in self.on_refused:
            tell(refused)

    async def register(self) -> None:
        """Take the next incarnation of our id, once per process. Raises Unavailable."""
        async with self._registering:
            if not self.incarnation:
                await self._register_above(0)

    async def _register_above(self, held: int) -> None:
        self.incarnation = await self.store.register(
            self.identity.instance_id, self.identity.role, held
        )

    async def leave_if_superseded(self) -> None:
        """Two live processes under one id depose each other for ever unless the older one leaves.
        A store that knows an *older* one was restored from a backup: register again (08 R2)."""
        async with self._registering:
            newest = await self.store.newest(self.identity.instance_id)
            if newest > self.incarnation:
                log.critical("superseded", ours=self.incarnation, newest=newest)
                leave(EXIT_SUPERSEDED)
            if newest < self.incarnation:
                await self._register_above(self.incarnation)

    async def lost(self) -> NoReturn:
        """A claim was refused: nothing is published, nothing acknowledged, the process ends."""
        with contextlib.suppress(Unavailable):
            await self.leave_if_superseded()
        log.critical("claim lost, starting afresh")
        leave(EXIT_CLAIM_LOST)

    async def beat(self, interval_s: float) -> None:
        """Say for ever that this process lives, and leave when a newer one has its id."""
        while True:
            with contextlib.suppress(Unavailable):
                await self._beat_once()
            await asyncio.sleep(interval_s)

    async def _beat_once(self) -> None:
        await self.register()
        owned: dict[str, list[int]] = {}
        for topic, partition in sorted(self.claims):
            owned.setdefault(topic, []).append(partition)
        problem = self.problem or ("" if self.ready.is_set() else "waiting for partitions")
        if not await self.store.beat(self.identity.instance_id, self.incarnation, owned, problem):
            await self.leave_if_superseded()


def leave(code: int) -> NoReturn:
    """End the process at once, without giving anything still queued a chance to be published."""
    os._exit(code)
