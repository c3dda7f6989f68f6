"""Connections of the pool: what a cut-off user leaves behind must not reach the next one."""

from __future__ import annotations

import asyncio

import pytest

from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres

pytestmark = pytest.mark.system


async def test_a_transaction_that_was_cut_off_is_gone_before_the_next_user_comes(
    live_settings: Settings,
) -> None:
    postgres = Postgres(live_settings.model_copy(update={"postgres_connections_max": 1}))
    begun = asyncio.Event()

    async def cut_off() -> None:
        async with postgres.connection() as connection:
            await connection.execute("begin; set local work_mem = '7MB'")
            begun.set()
            await connection.fetch("select pg_sleep(60)")

    task = asyncio.create_task(cut_off())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with postgres.connection() as connection:
        assert await connection.fetchval("select current_setting('work_mem')") != "7MB"
        # Outside a transaction every statement has one of its own.
        first = await connection.fetchval("select pg_current_xact_id()::text")
        assert await connection.fetchval("select pg_current_xact_id()::text") != first
    await postgres.close()
