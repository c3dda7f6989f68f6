"""One thing that is looked at: rendered once, told to however many viewers."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime

import structlog

from headgate.dashboard.fragments import Fragment, Render, event, named, update, whole
from headgate.dashboard.whole_number import whole_number
from headgate.streams.errors import HeadgateError

log = structlog.get_logger(__name__)

QUEUE_MAX = 8
"""Updates that wait for one viewer. Who does not keep up gets the whole region anew."""
HISTORY_MAX = 40
"""Updates that are kept for viewers who come back: 10 s of them at most."""
BEAT_S = 15.0
"""After this long without news a comment keeps proxies from closing the connection."""
LIFE_S = 60.0
"""How long one connection lasts; then the browser comes back, and its session is asked again."""
AGAIN_MS = 100
"""How long a browser waits before it comes back; it doubles while nobody answers."""


class Viewer:
    """One connection, and the updates that wait for it."""

    def __init__(self, region: Region) -> None:
        self._region = region
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self._behind = True
        self._leaving = False

    def tell(self, item: bytes) -> None:
        """Never waits: who is too slow starts over with the whole region."""
        if len(self._waiting) >= QUEUE_MAX:
            self.start_over()
        elif not self._behind:
            self._waiting.append(item)
        self._news.set()

    def say(self, item: bytes) -> None:
        """Tell what is not part of the region: whether it is old."""
        self._waiting.append(item)
        self._news.set()

    def start_over(self) -> None:
        """Forget what waits; the whole region comes instead."""
        self._waiting.clear()
        self._behind = True
        self._news.set()

    def go_on(self, missed: Iterable[bytes]) -> None:
        """Take up where an earlier connection ended."""
        self._waiting.extend(missed)
        self._behind = False
        self._news.set()

    def leave(self) -> None:
        """End the connection after what waits."""
        self._leaving = True
        self._news.set()

    async def events(self) -> AsyncIterator[bytes]:
        """What the connection carries, until it is to end."""
        yield named("hello", "", AGAIN_MS)
        end = time.monotonic() + LIFE_S
        while time.monotonic() < end:
            for item in self._taken():
                yield item
            if self._leaving:
                return
            try:
                async with asyncio.timeout(min(BEAT_S, max(0, end - time.monotonic()))):
                    await self._news.wait()
            except TimeoutError:
                yield b": still here\n\n"

    def _taken(self) -> list[bytes]:
        """What is to be sent now."""
        self._news.clear()
        if self._behind and self._region.is_rendered:
            self._waiting.clear()
            self._waiting.extend(self._region.now())
            self._behind = False
        items, self._waiting = list(self._waiting), deque()
        return items


class Region:
    """The state of one rendering and who follows it."""

    def __init__(self, render: Render, bodies: Iterable[str] = ()) -> None:
        self._render = render
        self._bodies = set(bodies)
        self._shown: dict[str, Fragment] = {}
        self._name = secrets.token_hex(4)
        self._number = 0
        self._history: deque[tuple[int, bytes]] = deque(maxlen=HISTORY_MAX)
        self._good_at: datetime | None = None
        self._stale = False
        self.viewers: set[Viewer] = set()
        self.left_at = 0.0
        """When the last viewer left, by the monotonic clock."""

    @property
    def is_rendered(self) -> bool:
        """Whether there is anything to show yet."""
        return self._number > 0

    def enter(self, last_id: str) -> Viewer:
        """Somebody looks, who saw `last_id` last; what was missed since is told, if it is known."""
        viewer = Viewer(self)
        name, _, number = last_id.partition(".")
        seen = whole_number(number)
        if name == self._name and seen is not None:
            missed = self._since(seen)
            if missed is not None:
                viewer.go_on(missed)
        for item in self._mood():
            viewer.say(item)
        self.viewers.add(viewer)
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Somebody looks no longer."""
        self.viewers.discard(viewer)
        self.left_at = time.monotonic()

    def _since(self, number: int) -> list[bytes] | None:
        """The updates after one; None when some of them are forgotten."""
        missed = [item for its, item in self._history if its > number]
        return missed if len(missed) == self._number - number else None

    def now(self) -> list[bytes]:
        """The whole region, for whoever has nothing, and whether it is old: what was to be told of
        that before is forgotten with all that waited."""
        text = whole(self._shown, sorted(self._bodies))
        mood = self._mood() or [named("fresh", "")]
        return [event(text, f"{self._name}.{self._number}"), *mood]

    def _mood(self) -> list[bytes]:
        if not self._stale:
            return []
        return [named("stale", f"{self._good_at:%H:%M:%S}" if self._good_at else "")]

    async def refresh(self) -> None:
        """Render, and tell everybody what changed. Raises nothing: what is away is shown as old."""
        try:
            rendered = await self._render()
        except HeadgateError as error:
            self._went_stale(str(error))
            return
        except Exception:  # A fault in one screen must not end the others' updates.
            if not self._stale:
                log.exception("a live region cannot be rendered")
            self._went_stale("a fault")
            return
        self._advance({one.id: one for one in rendered})

    def _advance(self, now: dict[str, Fragment]) -> None:
        text = update(self._shown, now)
        self._bodies |= {one.within for one in now.values() if one.within}
        self._good_at = datetime.now(UTC)
        if self._stale:
            self._stale = False
            self._say([named("fresh", "")])
        if text or not self._number:
            self._shown, self._number = now, self._number + 1
            item = event(text, f"{self._name}.{self._number}")
            self._history.append((self._number, item))
            self._tell(item)

    def _went_stale(self, reason: str) -> None:
        if not self._stale:
            log.warning("a live region waits", reason=reason)
            self._stale = True
            self._say(self._mood())

    def _say(self, items: Iterable[bytes]) -> None:
        for viewer in self.viewers:
            for item in items:
                viewer.say(item)

    def _tell(self, item: bytes) -> None:
        for viewer in self.viewers:
            viewer.tell(item)
