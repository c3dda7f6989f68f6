"""The dashboard on a port of this process, looked at by whoever the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import uvicorn

from headgate.dashboard.app import create_dashboard
from headgate.dashboard.everything import outside, place_of
from headgate.dashboard.place import Place
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres
from tests.system.harness_dashboard import OneViewer
from tests.system.harness_edge import free_port


@dataclass
class Serving:
    """A dashboard that nobody has to sign in to."""

    settings: Settings
    client: httpx.AsyncClient
    port: int = field(default_factory=free_port)
    doorman: OneViewer = field(default_factory=OneViewer)
    place: Place | None = None
    _server: uvicorn.Server | None = None
    _task: asyncio.Task[None] | None = None

    def url(self, path: str) -> str:
        """Where a screen is."""
        return f"http://127.0.0.1:{self.port}/dashboard{path}"

    async def start(self) -> None:
        """Listen; also again after `stop`, on the same port."""
        edge_url = str(self.client.base_url).rstrip("/")
        self.place = place_of(self.settings, Postgres(self.settings), self.client, edge_url)
        app = create_dashboard(self.place, self.doorman, outside(self.place))
        config = uvicorn.Config(app, port=self.port, log_config=None, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server._serve())
        while not self._server.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Let everybody go, as the edge does."""
        assert self.place is not None
        assert self._server is not None
        assert self._task is not None
        await self.place.hub.close()
        self._server.should_exit = True
        await self._task
        await self.place.close()


@asynccontextmanager
async def serving(settings: Settings, client: httpx.AsyncClient) -> AsyncIterator[Serving]:
    """The dashboard over these stores; its actions ask `client`."""
    dashboard = Serving(settings, client)
    await dashboard.start()
    try:
        yield dashboard
    finally:
        await dashboard.stop()
