"""PostgreSQL, typed: a lazy pool, named statements, and errors that say whether to try again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from importlib.resources import files

import asyncpg

from headgate.streams.errors import HeadgateError, StoreUnavailable
from headgate.streams.settings import Settings

Row = asyncpg.Record

_REFUSED_CLASSES = ("22", "23", "54")
"""SQLSTATE classes of a row that PostgreSQL will never take: data exception, integrity, and a limit
of the program, such as an id that is too long for its index (08 R6)."""
_SERVER_SHARE = 0.9
"""Part of our own timeout after which the server ends a statement: what a client has given up must
not go on for long and keep rows locked that the next try needs."""


class RowRefused(HeadgateError):
    """PostgreSQL refuses a value; trying again cannot help. The message never holds the value."""


_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What asyncpg raises when PostgreSQL is away, dies in mid-statement or refuses."""

_NOT_MIGRATED = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.InvalidSchemaNameError,
)


@cache
def statements() -> dict[str, str]:
    """Every statement of `queries/*.sql` by its name."""
    folder = files("headgate.tables").joinpath("queries")
    text = "\n".join(entry.read_text() for entry in folder.iterdir())
    parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)[1:]
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def _translated(error: BaseException) -> HeadgateError:
    """The HeadgateError that stands for what asyncpg raised."""
    state = getattr(error, "sqlstate", None) or ""
    if state[:2] in _REFUSED_CLASSES:
        return RowRefused(f"PostgreSQL refuses a row: {type(error).__name__} ({state})")
    if isinstance(error, _NOT_MIGRATED):
        return StoreUnavailable("the schema is missing or older: run `headgate migrate`")
    return StoreUnavailable(f"PostgreSQL is away: {type(error).__name__}: {error}")


async def _as_it_is(connection: object) -> None:
    """Give a connection back without asking PostgreSQL to forget its session, as asyncpg does by
    default: that is a second round for every statement. Ours leave nothing in a session: what they
    set is local to a transaction, and an open one is rolled back before this is called."""
    del connection


class Postgres:
    """A pool that connects when it is first needed, so that nobody dies of a database away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: asyncpg.Pool[Row] | None = None
        self._opening = asyncio.Lock()
        self._timeout_s = settings.postgres_timeout_ms / 1000

    async def _opened(self) -> asyncpg.Pool[Row]:
        server_limit_ms = str(round(self._timeout_s * 1000 * _SERVER_SHARE))
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._settings.postgres,
                    min_size=0,
                    max_size=self._settings.postgres_connections_max,
                    timeout=self._timeout_s,
                    command_timeout=self._timeout_s,
                    reset=_as_it_is,
                    server_settings={
                        "search_path": self._settings.schema_name,
                        "statement_timeout": server_limit_ms,
                        "idle_in_transaction_session_timeout": server_limit_ms,
                    },
                )
            return self._pool

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[Row]]:
        """A connection of the pool.

        Raises StoreUnavailable when PostgreSQL is away or slow, RowRefused when it refuses a
        value for good. A statement that was cut off may or may not have been applied.
        """
        try:
            pool = await self._opened()
            async with pool.acquire(timeout=self._timeout_s) as connection:
                try:
                    yield connection
                except asyncpg.InternalClientError:
                    # The server's last words came between two statements; the driver is out of
                    # step with itself for good.
                    connection.terminate()
                    raise
        except _AWAY as error:
            raise _translated(error) from error

    async def fetch(self, name: str, *arguments: object) -> Sequence[Row]:
        """The rows of the named statement."""
        return await self._rows(name, statements()[name], arguments)

    async def fetch_where(
        self, name: str, clauses: Mapping[str, str], *arguments: object
    ) -> Sequence[Row]:
        """The rows of the named statement with `clauses` in its places in braces. They are SQL of
        the code and never come from a request."""
        return await self._rows(name, statements()[name].format(**clauses), arguments)

    async def _rows(self, name: str, text: str, arguments: Sequence[object]) -> Sequence[Row]:
        del name
        async with self.connection() as connection:
            rows: Sequence[Row] = await connection.fetch(text, *arguments)
            return rows

    async def fetch_row(self, name: str, *arguments: object) -> Row | None:
        """The first row of the named statement."""
        rows = await self.fetch(name, *arguments)
        return rows[0] if rows else None

    async def close(self) -> None:
        """Give the connections back; waits at most the statement timeout."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            await asyncio.wait_for(pool.close(), self._timeout_s)
        except _AWAY:
            pool.terminate()
