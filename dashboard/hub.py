"""The hub: what is shown live is rendered once, however many look at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from headgate.streams.errors import HeadgateError

log = structlog.get_logger(__name__)

TICK_S = 0.25
"""Four times a second is as often as anybody can look."""
QUEUE_MAX = 8
"""Updates that wait for one viewer. Who does not keep up gets the whole region anew."""
BEAT_S = 15.0
"""After this long without news a comment keeps proxies from closing the connection."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """An element that is shown: its id, and its HTML with that id."""

    id: str
    html: str
    within: str = ""
    """The id of the table body that it is a row of. Rows carry `data-k` and stand in descending
    order of it. Empty for an element that is always there."""


Render = Callable[[], Awaitable[Sequence[Fragment]]]
"""All elements of a region as they are now."""


def update(before: Mapping[str, Fragment], now: Mapping[str, Fragment]) -> str:
    """What turns one state of a region into another; empty when nothing changed."""
    changed = [one for one in now.values() if before.get(one.id) != one]
    gone = [one for one in before.values() if one.id not in now]
    bodies = {one.within for one in changed if one.within}
    parts = [_upsert(body, [one for one in changed if one.within == body]) for body in bodies]
    parts += [_partial(one.id, "outerMorph", one.html) for one in changed if not one.within]
    parts += [_partial(one.id, "delete", "") for one in gone]
    return "".join(parts)


def _upsert(body: str, rows: Sequence[Fragment]) -> str:
    html = "".join(row.html for row in rows)
    return f'<hx-upsert hx-target="#{body}" key="data-k" sort="desc">{html}</hx-upsert>'


def _partial(target: str, swap: str, html: str) -> str:
    return f'<hx-partial hx-target="#{target}" hx-swap="{swap}">{html}</hx-partial>'


def event(text: str, number: int) -> bytes:
    """One server-sent event."""
    data = "\n".join(f"data: {line}" for line in text.splitlines())
    return f"id: {number}\n{data}\n\n".encode()


@dataclass(eq=False)
class Region:
    """One thing that is looked at, by however many."""

    render: Render
    shown: dict[str, Fragment] = field(default_factory=dict)
    number: int = 0
    queues: set[asyncio.Queue[bytes | None]] = field(default_factory=set)


class Hub:
    """Renders regions four times a second while anybody looks."""

    def __init__(self) -> None:
        self._regions: dict[Hashable, Region] = {}
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    async def follow(self, key: Hashable, render: Render) -> AsyncIterator[bytes]:
        """Server-sent events: the region as it is, then what changes. Those with the same `key`
        share one rendering."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_MAX)
        region = self._regions.setdefault(key, Region(render))
        region.queues.add(queue)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="dashboard-hub")
        try:
            yield event(update({}, region.shown), region.number) if region.shown else b": hello\n\n"
            while not self.closed:
                try:
                    async with asyncio.timeout(BEAT_S):
                        item = await queue.get()
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if item is None:
                    return  # The browser connects again, and gets the whole region.
                yield item
        finally:
            region.queues.discard(queue)
            if not region.queues:
                self._regions.pop(key, None)

    async def close(self) -> None:
        """Let everybody go."""
        self.closed = True
        for region in self._regions.values():
            self._send(region, None)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._regions:
            await asyncio.sleep(TICK_S)
            for region in list(self._regions.values()):
                await self._refresh(region)
        self._task = None

    async def _refresh(self, region: Region) -> None:
        try:
            now = {one.id: one for one in await region.render()}
        except HeadgateError as error:
            log.warning("a live region waits", reason=str(error))
            return
        text = update(region.shown, now)
        if text:
            region.shown, region.number = now, region.number + 1
            self._send(region, event(text, region.number))

    def _send(self, region: Region, item: bytes | None) -> None:
        for queue in list(region.queues):
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)
            else:
                queue.put_nowait(item)
