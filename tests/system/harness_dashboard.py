"""The dashboard over real stores, looked at by whoever the test says."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from headgate.dashboard.app import create_dashboard
from headgate.dashboard.everything import outside, place_of
from headgate.dashboard.place import Place
from headgate.dashboard.viewer import Viewer
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres

OPERATOR = Viewer("opr_1", "Olga", None, "test", "csrf-of-olga")


@dataclass
class OneViewer:
    """A doorman who lets in whom the test says."""

    viewer: Viewer | None = OPERATOR

    async def viewer_of(self, request: Request) -> Viewer | None:
        """The one."""
        del request
        return self.viewer

    def routes(self, place: Place) -> Sequence[Route]:
        """None: nobody signs in here."""
        del place
        return ()


@dataclass
class Looking:
    """A browser without scripts, and whom it belongs to."""

    client: httpx.AsyncClient
    place: Place
    doorman: OneViewer
    app: Starlette

    def as_merchant(self, merchant_id: str) -> None:
        """Look as somebody of this merchant."""
        self.doorman.viewer = dataclasses.replace(OPERATOR, id="usr_1", merchant_id=merchant_id)

    def as_operator(self) -> None:
        """Look as Olga, who runs Headgate."""
        self.doorman.viewer = OPERATOR

    async def get(self, path: str) -> httpx.Response:
        """A page below `/dashboard`."""
        return await self.client.get(f"/dashboard{path}")

    async def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form with the session's token."""
        csrf = self.doorman.viewer.csrf if self.doorman.viewer else ""
        return await self.client.post(f"/dashboard{path}", data={"csrf": csrf, **fields})


@asynccontextmanager
async def looking(
    settings: Settings, edge: httpx.AsyncClient | None = None
) -> AsyncIterator[Looking]:
    """The dashboard; `edge` is what its actions ask, by default nothing that answers."""
    nobody = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    postgres, doorman = Postgres(settings), OneViewer()
    place = place_of(settings, postgres, edge or nobody)
    app = create_dashboard(place, doorman, outside(place))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://headgate.localhost"
    ) as client:
        try:
            yield Looking(client, place, doorman, app)
        finally:
            await place.close()
