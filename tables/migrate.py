"""Migrations: plain SQL files, applied once each, in order, under a lock."""

from __future__ import annotations

from importlib.resources import files

import asyncpg

from headgate.streams.clock import now_ms
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables import delivery_weeks

LOCK = 4_803_217
"""The advisory lock that two migrators meet at."""


def available() -> list[tuple[str, str]]:
    """Every migration as (name, SQL), in the order in which they apply."""
    folder = files("headgate.tables").joinpath("migrations")
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted((entry.name, entry.read_text()) for entry in found)


async def migrate(settings: Settings) -> list[str]:
    """Bring the namespace's schema up to date, make the weeks that deliveries need, drop those
    whose retention is over, and return the names of the migrations that were applied.

    Raises StoreUnavailable when PostgreSQL is away. Safe to run twice and from several places.
    """
    try:
        connection = await asyncpg.connect(settings.postgres, timeout=10, command_timeout=300)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise StoreUnavailable(f"PostgreSQL is away: {error}") from error
    try:
        applied = await _apply(connection, settings.schema_name)
        await delivery_weeks.tend(connection, settings, now_ms())
        return applied
    finally:
        await connection.close()


async def pending(settings: Settings) -> list[str]:
    """The names of migrations that this database still lacks."""
    connection = await asyncpg.connect(settings.postgres, timeout=10)
    try:
        done = await _applied(connection, settings.schema_name)
    finally:
        await connection.close()
    return [name for name, _ in available() if name not in done]


async def _applied(connection: asyncpg.Connection[asyncpg.Record], schema: str) -> set[str]:
    present = await connection.fetchval(
        "select to_regclass($1) is not null", f"{schema}.schema_migrations"
    )
    if not present:
        return set()
    await connection.execute(f"set search_path to {schema}")
    return {row["name"] for row in await connection.fetch("select name from schema_migrations")}


async def _apply(connection: asyncpg.Connection[asyncpg.Record], schema: str) -> list[str]:
    applied = []
    await connection.execute("select pg_advisory_lock($1)", LOCK)
    # The schema's name comes from a setting that allows letters, digits and _ only.
    await connection.execute(f"create schema if not exists {schema}")
    await connection.execute(f"set search_path to {schema}")
    await connection.execute(
        "create table if not exists schema_migrations"
        "(name text primary key, applied_at timestamptz not null default now())"
    )
    done = await _applied(connection, schema)
    for name, sql in available():
        if name in done:
            continue
        async with connection.transaction():
            await connection.execute(sql)
            await connection.execute("insert into schema_migrations values($1)", name)
        applied.append(name)
    return applied
