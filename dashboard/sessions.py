"""Who is signed in, by the cookie of a session."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.routing import Route

from headgate.dashboard.place import Place
from headgate.dashboard.viewer import Viewer
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres


class Sessions:
    """Finds the person behind a request."""

    def __init__(self, settings: Settings, postgres: Postgres) -> None:
        self._settings = settings
        self._postgres = postgres

    async def viewer_of(self, request: Request) -> Viewer | None:
        """The person behind the request's cookie."""
        del request
        return None

    def routes(self, place: Place) -> Sequence[Route]:
        """Signing in and out."""
        del place
        return ()
