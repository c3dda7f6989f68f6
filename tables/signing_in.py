"""Signing in: the password checked, guesses limited, a session opened, all of it audited."""

from __future__ import annotations

import math
from dataclasses import dataclass

from headgate.streams.commands import Mode
from headgate.streams.errors import HeadgateError
from headgate.streams.networks import network_of
from headgate.streams.settings import Settings
from headgate.tables.acting import actor_of
from headgate.tables.merchants import Connection, audit
from headgate.tables.passwords import Passwords
from headgate.tables.people import bucket_of_email, normal_email
from headgate.tables.postgres import Postgres, Row, statements
from headgate.tables.sessions import draw_secret, session_id

SWEPT_MAX = 50
"""Expired sessions, and attempts that no longer count, that one sign-in deletes."""
NOBODY = "nobody"
"""Who the audit names when the person is not known."""


class SignInRefused(HeadgateError):
    """The e-mail address or the password is wrong, or the person is disabled: it is not told
    which."""


class TooManySignIns(HeadgateError):
    """Too many sign-ins were refused lately, of this person or from this address."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"Too many sign-ins were refused. Try again in {_duration(wait_s)}.")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody who wants to sign in, as they said it."""

    email: str
    password: str
    address: str
    """Where the connection comes from."""


class SigningIn:
    """Signs people in."""

    def __init__(self, settings: Settings, postgres: Postgres) -> None:
        self._settings = settings
        self._postgres = postgres
        self._passwords = Passwords()
        self._mode: Mode = "test" if settings.test_mode else "live"

    async def open(self, asked: Asked) -> str:
        """A new session; its secret, for the cookie.

        Raises SignInRefused, TooManySignIns, PasswordsBusy, StoreUnavailable.
        """
        attempts = await self._count(asked)
        email = normal_email(asked.email)
        person = await self._postgres.fetch_row("person_to_sign_in", email) if email else None
        stored = person["password_hash"] if person else None
        right = await self._passwords.matches(asked.password, stored)
        secret = draw_secret()
        if person is None or not right or not await self._opened(asked, person, secret, attempts):
            await self._refuse(asked, person)
        return secret

    async def _count(self, asked: Asked) -> list[int]:
        """Count the attempt before it is known to be wrong, so that many at once do not pass.
        Raises TooManySignIns."""
        limits = {
            bucket_of_email(asked.email): self._settings.sign_ins_per_email,
            f"address:{network_of(asked.address)}": self._settings.sign_ins_per_address,
        }
        async with self._postgres.connection() as connection, connection.transaction():
            for bucket in sorted(limits):
                await connection.execute(statements()["lock_bucket"], bucket)
            for bucket, limit in limits.items():
                await self._check(connection, bucket, limit)
            count = statements()["count_sign_in_attempt"]
            return [await connection.fetchval(count, bucket) for bucket in limits]

    async def _check(self, connection: Connection, bucket: str, limit: int) -> None:
        window_s = self._settings.sign_in_window_s
        row = await connection.fetchrow(statements()["sign_in_attempts"], bucket, window_s)
        assert row is not None  # noqa: S101  an aggregate always has a row
        if limit and row["many"] >= limit:
            raise TooManySignIns(max(1, math.ceil(row["wait_s"])))

    async def _opened(self, asked: Asked, person: Row, secret: str, attempts: list[int]) -> bool:
        """Open the session and forget the attempts; False when the person was disabled, or got
        another password, in the meantime."""
        life_s = self._settings.session_life_s
        row = (person["id"], draw_secret(), self._mode, life_s, person["password_hash"])
        async with self._postgres.connection() as connection, connection.transaction():
            sql = statements()["open_session"]
            if await connection.fetchval(sql, session_id(secret), *row) is None:
                return False
            forget = statements()["forget_sign_in_attempts"]
            await connection.execute(forget, bucket_of_email(asked.email), attempts)
            actor = actor_of(person["kind"], person["id"])
            said = {"address": asked.address}
            await audit(connection, actor, "person.sign_in", person["id"], said)
            await self._sweep(connection)
        return True

    async def _refuse(self, asked: Asked, person: Row | None) -> None:
        """Write down that it was refused. What was typed as the address may be a password, so of
        somebody who does not exist it is not kept."""
        said = {"address": asked.address}
        subject = person["id"] if person else NOBODY
        async with self._postgres.connection() as connection:
            await audit(connection, NOBODY, "person.sign_in_refused", subject, said)
        raise SignInRefused("The e-mail address or the password is wrong.")

    async def _sweep(self, connection: Connection) -> None:
        window_s = self._settings.sign_in_window_s
        await connection.execute(statements()["sweep_sessions"], SWEPT_MAX)
        await connection.execute(statements()["sweep_sign_in_attempts"], window_s, SWEPT_MAX)


def _duration(seconds: int) -> str:
    minutes = math.ceil(seconds / 60)
    return f"{seconds} s" if seconds < 60 else f"{minutes} min"  # noqa: PLR2004  a minute
