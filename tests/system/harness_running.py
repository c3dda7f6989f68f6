"""One process of every role in a namespace of its own on the session's servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from headgate.embedded.stack import Stack
from tests.system.harness_edge import Edge, running_edge, with_demo
from tests.system.harness_place import Place, opened
from tests.system.harness_workers import READS, Workers

ROLES = tuple(READS)


@dataclass(frozen=True)
class Running:
    """An edge with the demo merchant, and a worker of each role behind it."""

    place: Place
    edge: Edge
    workers: dict[str, Workers]

    @property
    def url(self) -> str:
        """Where it listens, as a client would be told."""
        return f"http://127.0.0.1:{self.edge.port}"

    async def replace(self, role: str, **environment: str) -> None:
        """End a role's worker and start it afresh with these settings."""
        await self.workers[role].stop()
        fresh = self.workers[role] = Workers(self.place, role, self.workers[role].logs)
        await fresh.start(0, **environment)
        await fresh.until_only(0)


@asynccontextmanager
async def running_system(stack: Stack, logs: Path, **changes: str) -> AsyncIterator[Running]:
    """All of Headgate, ready to be used; `changes` go into every process's environment."""
    async with (
        opened(stack, **changes) as place,
        running_edge(await with_demo(place), logs) as edge,
    ):
        workers = {role: Workers(place, role, logs) for role in ROLES}
        running = Running(place, edge, workers)
        try:
            await asyncio.gather(*(each.start(0) for each in workers.values()))
            await asyncio.gather(*(each.until_only(0) for each in workers.values()))
            yield running
            await asyncio.gather(*(each.stop() for each in running.workers.values()))
        finally:
            for each in running.workers.values():
                each.kill()
