"""A viewer of the stream of events, as a browser would be one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.system.harness_edge import Edge
from tests.system.harness_place import until

STREAM = "/api/v1/events/stream"
EVENTS = "/api/v1/events"
SEES_WITHIN_S = 20.0


@dataclass
class Block:
    """What stands between two empty lines of a stream."""

    id: str | None = None
    event: str | None = None
    data: str | None = None
    comment: str | None = None

    @property
    def told(self) -> dict[str, Any]:
        """The data as JSON."""
        found: dict[str, Any] = json.loads(self.data or "null")
        return found


@dataclass
class Viewer:
    """Reads a stream in the background and remembers everything."""

    answer: httpx.Response
    blocks: list[Block] = field(default_factory=list)
    ended: bool = False

    @property
    def last_id(self) -> str | None:
        """What a browser would send as `Last-Event-ID`."""
        ids = [block.id for block in self.blocks if block.id]
        return ids[-1] if ids else None

    @property
    def events(self) -> list[Block]:
        """The events, without resets."""
        return [block for block in self.blocks if block.event not in (None, "reset")]

    @property
    def seen(self) -> list[str]:
        """The ids of the events."""
        return [block.told["id"] for block in self.events]

    async def until(self, condition: Callable[[Viewer], bool], what: str) -> None:
        """Wait until the viewer is so."""

        async def holds() -> bool:
            return condition(self)

        await until(holds, SEES_WITHIN_S, what)

    async def until_begun(self) -> None:
        """Wait until there is a cursor to go on from."""
        await self.until(lambda viewer: viewer.last_id is not None, "a cursor")

    async def until_over(self) -> None:
        """Wait until the stream has ended or broken."""
        await self.until(lambda viewer: viewer.ended, "the end of the stream")

    async def until_seen(self, count: int) -> None:
        """Wait until so many events have come."""
        await self.until(lambda viewer: len(viewer.events) >= count, f"{count} events")

    async def read(self) -> None:
        """Read until the stream ends or breaks."""
        block = Block()
        try:
            async for line in self.answer.aiter_lines():
                if not line:
                    self.blocks.append(block)
                    block = Block()
                    continue
                name, _, value = line.partition(":")
                if name in ("id", "event", "data"):
                    setattr(block, name, value.removeprefix(" "))
                elif not name:
                    block.comment = value
        except httpx.TransportError:
            pass
        self.ended = True


@asynccontextmanager
async def viewing(
    edge: Edge, headers: dict[str, str] | None = None, **query: str
) -> AsyncIterator[Viewer]:
    """A viewer that reads for as long as the block runs."""
    named: list[tuple[str, str | int | float | bool | None]] = [
        (name.replace("types", "types[]"), value) for name, value in query.items()
    ]
    async with edge.client.stream("GET", STREAM, headers=headers, params=named) as answer:
        viewer = Viewer(answer)
        task = asyncio.create_task(viewer.read())
        try:
            yield viewer
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
