"""The hub: what is shown live is rendered once, however many look at it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Hashable, Iterable
from typing import TypeVar, cast

from headgate.dashboard.fragments import Fragment, Render, update
from headgate.dashboard.region import Region
from headgate.streams.errors import HeadgateError

__all__ = ["Fragment", "Hub", "Render", "update"]

TICK_S = 0.25
"""Four times a second is as often as anybody can look."""
UNMOVED_S = 1.0
"""How often a region is rendered although no position moved: not everything is on the log."""
REST = 4
"""A region rests so many times as long as its rendering took: a dear one comes more seldom."""
REST_MAX_S = 0.5
"""But no longer than this, or than its rendering took: it adds to how far behind a viewer is."""
LINGER_S = 10.0
"""How long a region is remembered after its last viewer, who may be back in a moment."""
KEPT_MAX = 256
"""What renderings remember, of so many keys at most."""
VIEWERS_MAX = 256
"""Connections of one process; more are answered 503."""
PER_PERSON_MAX = 32
"""Of these, how many one person may have, or one link of a portal; more are answered 503."""

T = TypeVar("T")
Look = Callable[[], Awaitable[Hashable]]
"""Something cheap that differs when what is shown may differ. May raise HeadgateError."""


def rest_s(took_s: float) -> float:
    """How long a region rests whose rendering took so long."""
    longest = max(REST_MAX_S, took_s)
    return min(max(TICK_S - took_s, took_s * REST), longest)


async def _never_the_same() -> Hashable:
    return object()


class Hub:
    """Renders regions at most four times a second, and only while anybody looks."""

    def __init__(self, look: Look = _never_the_same) -> None:
        self._look = look
        self._regions: dict[Hashable, Region] = {}
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}
        self._kept: dict[Hashable, object] = {}
        self._places: Counter[str] = Counter()
        self._watch: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self.closed = False

    @property
    def is_full(self) -> bool:
        """Whether one more viewer would be too many."""
        return sum(len(region.viewers) for region in self._regions.values()) >= VIEWERS_MAX

    def has_enough(self, person: str) -> bool:
        """Whether one more connection of this person would be too many."""
        return self._places[person] >= PER_PERSON_MAX

    async def of(self, person: str, stream: AsyncGenerator[T]) -> AsyncIterator[T]:
        """The stream, counted as a connection of this person for as long as it lasts."""
        self._places[person] += 1
        try:
            async for item in stream:
                yield item
        finally:
            self._places[person] -= 1
            if not self._places[person]:
                del self._places[person]
            await stream.aclose()

    async def follow(
        self, key: Hashable, render: Render, last_id: str = "", bodies: Iterable[str] = ()
    ) -> AsyncIterator[bytes]:
        """Server-sent events: the region as it is, then what changes. Those with the same `key`
        share one rendering.

        Args:
            key: Everything that the rendering depends on.
            render: All elements of the region; it is called a few times a second.
            last_id: The last event that this browser saw on an earlier connection, or empty.
            bodies: The table bodies that may be empty.
        """
        if self.closed:
            return
        region = self._region(key, render, bodies)
        viewer = region.enter(last_id)
        self._start(key, region)
        try:
            async for item in viewer.events():
                yield item
        finally:
            region.leave(viewer)

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What a rendering remembers between two times: made once per key, and forgotten when
        `KEPT_MAX` others were asked for since."""
        found = self._kept.pop(key, None) or make()
        self._kept[key] = found
        while len(self._kept) > KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        return cast("T", found)

    def _region(self, key: Hashable, render: Render, bodies: Iterable[str]) -> Region:
        if key not in self._regions:
            self._regions[key] = Region(render, bodies)
        return self._regions[key]

    def _start(self, key: Hashable, region: Region) -> None:
        """Begin to render, unless somebody looks already."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._watching(), name="dashboard-hub")
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._rendering(region), name="dashboard-region")

    async def close(self) -> None:
        """Let everybody go."""
        self.closed = True
        for region in self._regions.values():
            for viewer in region.viewers:
                viewer.leave()
        tasks = [*self._tasks.values(), *([self._watch] if self._watch else [])]
        self._tasks, self._watch = {}, None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _rendering(self, region: Region) -> None:
        """Render one region again and again, never more often than it may be."""
        while True:
            began = time.monotonic()
            moved = self._moved
            await region.refresh()
            took = time.monotonic() - began
            await asyncio.sleep(rest_s(took))
            try:
                async with asyncio.timeout(UNMOVED_S):
                    await moved.wait()
            except TimeoutError:
                pass

    async def _watching(self) -> None:
        """See whether anything moved, and forget what nobody looks at."""
        seen: Hashable = None
        while self._regions:
            self._forget()
            now = await self._looked()
            if now != seen:
                seen = now
                self._moved.set()
                self._moved = asyncio.Event()
            await asyncio.sleep(TICK_S)
        self._watch = None

    async def _looked(self) -> Hashable:
        """Where things are; None when that cannot be said, so that what comes next has moved."""
        try:
            return await self._look()
        except HeadgateError:  # Rendering says what is away.
            return None

    def _forget(self) -> None:
        """Stop rendering what nobody looks at; after a while, forget it."""
        now = time.monotonic()
        for key, region in list(self._regions.items()):
            if region.viewers:
                continue
            if key in self._tasks:
                self._tasks.pop(key).cancel()
            if now - region.left_at > LINGER_S:
                del self._regions[key]
