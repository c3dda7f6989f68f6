"""Who is signed in, by the cookie of a session."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.routing import Route

from headgate.dashboard import session_cookie
from headgate.dashboard.place import Place
from headgate.dashboard.sign_in import SignIn
from headgate.dashboard.viewer import Viewer
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres
from headgate.tables.sessions import SessionStore
from headgate.tables.signing_in import SigningIn


class Sessions:
    """Finds the person behind a request."""

    def __init__(self, settings: Settings, postgres: Postgres) -> None:
        self._settings = settings
        self._store = SessionStore(settings, postgres)
        self._signing_in = SigningIn(settings, postgres)

    async def viewer_of(self, request: Request) -> Viewer | None:
        """The person behind the request's cookie; None when nobody is signed in, or no longer.
        Raises StoreUnavailable."""
        session = await self._store.find(session_cookie.secret_of(request, self._settings))
        if session is None:
            return None
        return Viewer(
            id=session.person_id,
            name=session.name,
            merchant_id=session.merchant_id,
            mode=session.mode,
            csrf=session.csrf,
            theme=session.theme,
        )

    def routes(self, place: Place) -> Sequence[Route]:
        """Signing in and out, and what a person sets for the session."""
        return SignIn(place, self._store, self._signing_in, self.viewer_of).routes()
