"""What one address serves: the REST surface, and the dashboard beside it.

The two do not know each other; this is where they meet. The dashboard asks the REST surface in the
same process, without a connection, for whatever changes something."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from headgate.dashboard.app import BASE, create_dashboard
from headgate.dashboard.everything import outside, place_of
from headgate.dashboard.place import Place
from headgate.dashboard.portal import PORTAL
from headgate.dashboard.seed_pages import SEED_PAGES
from headgate.dashboard.sessions import Sessions
from headgate.http.edge import create_app
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres

_PEOPLES = (f"{BASE}/", f"{PORTAL}/", "/webhooks/")
INSIDE = "http://edge.internal"
"""A name for the edge that is never looked up: requests stay in the process."""


class Front:
    """Sends each request to the dashboard or to the REST surface."""

    def __init__(self, edge: Starlette, dashboard: ASGIApp, place: Place) -> None:
        self.edge = edge
        self.place = place
        self._dashboard = dashboard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The edge answers the lifespan too: it is what has to start and stop.
        if scope["type"] == "http" and is_for_people(scope["path"]):
            await self._dashboard(scope, receive, send)
        else:
            await self.edge(scope, receive, send)

    async def let_go(self) -> None:
        """End the connections of those who follow events or look at live pages."""
        self.edge.state.services.events.tip.close()
        await self.place.hub.close()


def is_for_people(path: str) -> bool:
    """Whether the dashboard answers this path."""
    return path in (BASE, *SEED_PAGES) or path.startswith(_PEOPLES)


def whole(settings: Settings) -> Front:
    """Everything behind one address. Raises what `create_app` raises."""
    edge = create_app(settings)
    postgres = Postgres(settings)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(edge), base_url=INSIDE)
    place = place_of(settings, postgres, client)
    _also(edge, place)
    return Front(edge, create_dashboard(place, Sessions(settings, postgres), outside(place)), place)


def alone(settings: Settings) -> tuple[Starlette, Place]:
    """The dashboard without an edge in its process: it asks the one at HEADGATE_EDGE_URL."""
    postgres = Postgres(settings)
    client = httpx.AsyncClient(base_url=settings.edge_url)
    place = place_of(settings, postgres, client, settings.edge_url)
    app = create_dashboard(place, Sessions(settings, postgres), outside(place))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        try:
            yield
        finally:
            await place.close()
            await client.aclose()

    app.router.lifespan_context = lifespan
    return app, place


def _also(edge: Starlette, place: Place) -> None:
    """Let the dashboard's viewers go, and its connections, when the edge stops."""
    inner = edge.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with inner(app):
            try:
                yield
            finally:
                await place.close()

    edge.router.lifespan_context = lifespan
