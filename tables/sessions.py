"""Sessions: somebody who is signed in, as PostgreSQL has it; the cookie holds a secret only."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Literal

from headgate.streams.commands import Mode
from headgate.streams.settings import Settings
from headgate.tables.acting import PersonKind, actor_of
from headgate.tables.merchants import audit
from headgate.tables.postgres import Postgres, statements

SECRET_BYTES = 32
SECRET_CHARACTERS = 43
"""Of such a secret in base64url: what is of another length is not looked up."""
SEEN_EVERY_S = 30
"""How exactly it is known when a session was last used; each time is a write."""

Theme = Literal["system", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    person_id: str
    name: str
    kind: PersonKind
    merchant_id: str | None
    mode: Mode
    """Whether they look at test or live data."""
    csrf: str
    """What their forms send back."""
    theme: Theme

    @property
    def actor(self) -> str:
        """How facts and the audit name them."""
        return actor_of(self.kind, self.person_id)


def draw_secret() -> str:
    """The secret of a new session."""
    return secrets.token_urlsafe(SECRET_BYTES)


def session_id(secret: str) -> bytes:
    """Under what a session is stored. Its secret is random and long, so SHA-256 is enough."""
    return hashlib.sha256(secret.encode()).digest()


class SessionStore:
    """Finds sessions, changes and ends them. Every method raises StoreUnavailable."""

    def __init__(self, settings: Settings, postgres: Postgres) -> None:
        self._postgres = postgres
        self._idle_s = settings.session_idle_s
        self._seen_every_s = min(SEEN_EVERY_S, settings.session_idle_s / 2)

    async def find(self, secret: str) -> Session | None:
        """The session of this secret; None when there is none, or its time is over."""
        if len(secret) != SECRET_CHARACTERS:
            return None
        row = await self._postgres.fetch_row("session", session_id(secret), self._idle_s)
        if row is None:
            return None
        found = dict(row)
        if found.pop("unseen_s") > self._seen_every_s:
            await self._postgres.fetch("see_session", session_id(secret))
        return Session(**found)

    async def set_mode(self, secret: str, mode: Mode) -> None:
        """Look at test or at live data from now on."""
        await self._postgres.fetch("set_session_mode", session_id(secret), mode)

    async def set_theme(self, secret: str, theme: Theme) -> None:
        """Show the dashboard so to this person, in this session and in later ones."""
        await self._postgres.fetch("set_theme", session_id(secret), theme)

    async def end(self, secret: str) -> None:
        """Sign out; nothing happens when the session has ended already."""
        async with self._postgres.connection() as connection, connection.transaction():
            row = await connection.fetchrow(statements()["end_session"], session_id(secret))
            if row is not None:
                actor = actor_of(row["kind"], row["person_id"])
                await audit(connection, actor, "person.sign_out", row["person_id"], {})
