"""A scratch namespace: topics and a schema of its own for one run, always gone afterwards."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from headgate.streams.clock import iso, now_ms
from headgate.streams.declare import declare
from headgate.streams.errors import LogUnavailable, StoreUnavailable
from headgate.streams.settings import SCRATCH, Settings
from headgate.tables.migrate import migrate

MARK = "scratch namespace of headgate replay --verify"
"""What the comment on a schema begins with that is ours to drop. A scratch namespace that a person
made with `headgate migrate` has no such comment and is left alone."""
CONNECT_WAIT_S = 10
DROP_WAIT_S = 60.0
"""How long the topics, and then the schema, may take to go."""
NEXT_TIME = (
    "what is left of a scratch namespace is dropped by the next run, or by"
    " `headgate replay --verify --clean`"
)
_LOCKS = 4_803_218
"""The space of advisory locks by which a scratch namespace shows that its run lives."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@asynccontextmanager
async def scratch(base: Settings, partitions: int) -> AsyncIterator[Settings]:
    """A namespace on the servers of `base` with this many partitions, as its settings.

    Dropped however the block ends. What a killed run leaves behind is found by its schema, whose
    lock nobody holds, and dropped by the next run. Raises StoreUnavailable, LogUnavailable.
    """
    name = f"{SCRATCH}{secrets.token_hex(5)}"
    settings = base.model_copy(update={"namespace": name, "partitions": partitions})
    async with _connected(base) as connection:
        await _drop_leftovers(connection, base)
        await connection.execute("select pg_advisory_lock($1, $2)", _LOCKS, _lock_of(name))
        try:
            # The marked schema first: it is the record of what there is to drop.
            await _mark(connection, settings)
            await migrate(settings)
            await declare(settings)
            yield settings
        finally:
            await drop(connection, settings)


async def drop_leftovers(base: Settings) -> list[str]:
    """Drop what killed runs have left, and answer the names of their namespaces. Raises
    StoreUnavailable, LogUnavailable."""
    async with _connected(base) as connection:
        return await _drop_leftovers(connection, base)


async def _drop_leftovers(connection: Connection, base: Settings) -> list[str]:
    rows = await connection.fetch(
        "select substr(nspname, length('headgate_') + 1) as name from pg_namespace"
        " where starts_with(nspname, $1) and starts_with(obj_description(oid, 'pg_namespace'), $2)",
        f"headgate_{SCRATCH}",
        MARK,
    )
    dropped = []
    for row in rows:
        lock = (_LOCKS, _lock_of(row["name"]))
        if await connection.fetchval("select pg_try_advisory_lock($1, $2)", *lock):
            await drop(connection, base.model_copy(update={"namespace": row["name"]}))
            await connection.execute("select pg_advisory_unlock($1, $2)", *lock)
            dropped.append(row["name"])
    return dropped


@asynccontextmanager
async def _connected(base: Settings) -> AsyncIterator[Connection]:
    try:
        connection = await asyncpg.connect(
            base.postgres, timeout=CONNECT_WAIT_S, command_timeout=DROP_WAIT_S
        )
    except (OSError, asyncpg.PostgresError) as error:
        raise StoreUnavailable(f"PostgreSQL is away: {error}") from error
    try:
        yield connection
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreUnavailable(f"PostgreSQL went away: {error}; {NEXT_TIME}") from error
    finally:
        await connection.close(timeout=CONNECT_WAIT_S)


async def _mark(connection: Connection, settings: Settings) -> None:
    """Make the schema and write into it what it is, for people and for the next run."""
    told = f"{MARK}, by {os.getpid()} on {socket.gethostname()} since {iso(now_ms())}"
    text = await connection.fetchval("select quote_literal($1::text)", told)
    # The name comes from a setting that allows letters, digits and _ only.
    await connection.execute(f"create schema {settings.schema_name}")
    await connection.execute(f"comment on schema {settings.schema_name} is {text}")


async def drop(connection: Connection, settings: Settings) -> None:
    """Drop a scratch namespace. Topics first: while the schema is there the next run finds what
    could not be dropped. Raises ValueError for any other namespace, LogUnavailable."""
    if not settings.scratch:
        raise ValueError(f"{settings.namespace!r} is no scratch namespace and is never dropped")
    await _drop_topics(settings)
    await connection.execute(f"drop schema if exists {settings.schema_name} cascade")


async def _drop_topics(settings: Settings) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    try:
        async with asyncio.timeout(DROP_WAIT_S):
            await admin.start()
            names = [n for n in await admin.list_topics() if n.startswith(settings.prefix)]
            if names:
                await admin.delete_topics(names)
    except (KafkaError, OSError) as error:
        raise LogUnavailable(
            f"the topics {settings.prefix}* could not be dropped: {error!r}; {NEXT_TIME}"
        ) from error
    finally:
        await admin.close()


def _lock_of(name: str) -> int:
    """A number for a name, in the range of PostgreSQL's int4."""
    return zlib.crc32(name.encode()) - (1 << 31)
