"""Where settle is, watched once for all who follow events on this edge."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from headgate.http.consistency import Consistency
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings

READERS_MAX = 2
"""Followers that read events from PostgreSQL at a time."""


class Tip:
    """Asks PostgreSQL every `events_poll_ms` while anybody follows, and wakes those who wait."""

    def __init__(self, settings: Settings, consistency: Consistency) -> None:
        self._poll_s = settings.events_poll_ms / 1000
        self._consistency = consistency
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.followers = 0
        self.turn = asyncio.Semaphore(READERS_MAX)
        """Held while a follower reads events: a crowd of them must not take every connection."""
        self.settled: Mapping[int, int] = {}
        """The next offset by partition when PostgreSQL was last asked."""
        self.away = False
        """Whether PostgreSQL did not answer when it was last asked."""
        self.closed = False
        """Whether this edge stops, so that everybody has to leave."""

    def enter(self) -> None:
        """Somebody follows."""
        self.followers += 1
        if self._task is None:
            self._task = asyncio.create_task(self._watch(), name="event-tip")

    def leave(self) -> None:
        """Somebody follows no longer."""
        self.followers -= 1
        if not self.followers and self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        """Let everybody leave."""
        self.closed = True
        self.wake()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool], wait_s: float) -> bool:
        """Whether the condition, which is asked again at every change, came true in time."""
        try:
            async with asyncio.timeout(wait_s):
                while not condition():
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def look(self) -> Mapping[int, int]:
        """Ask PostgreSQL now. Raises StoreUnavailable."""
        settled = await self._consistency.settled()
        if settled != self.settled:
            self.settled = settled
            self.wake()
        return settled

    async def _watch(self) -> None:
        while True:
            try:
                await self.look()
                self.away = False
            except StoreUnavailable:
                self.away = True
            await asyncio.sleep(self._poll_s)
