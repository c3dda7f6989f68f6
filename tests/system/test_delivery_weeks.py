"""Weeks of deliveries in a real PostgreSQL: rows move into them and go with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from headgate.streams.settings import Settings
from headgate.tables.delivery_weeks import LOCK, WEEKS_AHEAD, tend
from headgate.tables.migrate import available, migrate

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
DELIVERY = (
    "insert into webhook_deliveries(id, event_id, endpoint_id, merchant_id, mode, type, created_at)"
    " values($1, 'evt', 'ep', 'mer', 'test', 'payment.success', $2)"
)
ATTEMPT = (
    "insert into webhook_attempts(delivery_id, delivery_created_at, token, attempt, manual, kind,"
    " answer, started_at, duration_ms) values($1, $2, $1, 1, false, 'success', '', $2, 1)"
)
OLD_ATTEMPT = (
    "insert into webhook_attempts(delivery_id, token, attempt, manual, kind, answer, started_at,"
    " duration_ms) values($1, $1, 1, false, 'success', '', $2, 1)"
)
OLD_DELIVERY = DELIVERY.replace(", type,", ", payment_id, type,").replace(
    "'payment.success'", "'pay', 'payment.success'"
)


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


class Weeks:
    """A schema and a connection to it."""

    def __init__(self, settings: Settings, connection: Any) -> None:
        self.settings = settings
        self.connection = connection

    async def tend(self, at: datetime = NOW) -> None:
        await tend(self.connection, self.settings, ms(at))

    async def add(self, delivery_id: str, at: datetime) -> None:
        await self.connection.execute(DELIVERY, delivery_id, at)
        await self.connection.execute(ATTEMPT, delivery_id, at)

    async def places(self) -> dict[str, str]:
        """In which table each row lies, both tables together."""
        found = await self.connection.fetch(
            "select id, tableoid::regclass::text as place from webhook_deliveries union all"
            " select delivery_id || '!', tableoid::regclass::text from webhook_attempts"
        )
        return {row["id"]: row["place"].split(".")[-1] for row in found}

    async def tables(self) -> set[str]:
        found = await self.connection.fetch(
            "select c.relname from pg_inherits join pg_class c on c.oid = inhrelid"
            " where inhparent = 'webhook_deliveries'::regclass"
        )
        return {row["relname"] for row in found}


@pytest.fixture
async def weeks(live_settings: Settings) -> AsyncIterator[Weeks]:
    await migrate(live_settings)
    connection = await _connect(live_settings)
    try:
        yield Weeks(live_settings, connection)
    finally:
        await connection.close()


async def _connect(settings: Settings) -> Any:
    return await asyncpg.connect(
        settings.postgres, server_settings={"search_path": settings.schema_name}
    )


async def test_migrate_makes_the_weeks_ahead(weeks: Weeks) -> None:
    assert len(await weeks.tables()) >= WEEKS_AHEAD + 2
    now = datetime.now(UTC)
    await weeks.add("dlv", now)
    assert "rest" not in (await weeks.places())["dlv"]


async def test_a_row_lies_in_its_week_and_one_of_no_week_is_moved_when_it_is_made(
    weeks: Weeks,
) -> None:
    far = NOW + timedelta(weeks=30)
    await weeks.add("dlv", far)
    assert set((await weeks.places()).values()) == {
        "webhook_deliveries_rest",
        "webhook_attempts_rest",
    }
    await weeks.tend()
    assert await weeks.places() == {
        "dlv": "webhook_deliveries_20270621",
        "dlv!": "webhook_attempts_20270621",
    }
    await weeks.tend()


async def test_the_retention_drops_whole_weeks_of_both_tables(weeks: Weeks) -> None:
    await weeks.tend()
    await weeks.add("old", NOW - timedelta(days=3))
    await weeks.add("new", NOW + timedelta(days=7))
    await weeks.tend(NOW + timedelta(days=89))
    assert set(await weeks.places()) == {"old", "old!", "new", "new!"}
    later = NOW + timedelta(days=weeks.settings.webhook_retention_days + 4)
    await weeks.tend(later)
    assert set(await weeks.places()) == {"new", "new!"}
    assert "webhook_deliveries_20261123" not in await weeks.tables()


async def test_a_row_older_than_the_retention_goes_from_the_rest(weeks: Weeks) -> None:
    await weeks.add("ancient", NOW - timedelta(days=400))
    await weeks.tend()
    assert await weeks.places() == {}


async def test_two_who_tend_at_once_do_not_meet(weeks: Weeks) -> None:
    other = await _connect(weeks.settings)
    try:
        both = [tend(one, weeks.settings, ms(NOW)) for one in (weeks.connection, other)]
        await asyncio.gather(*both)
        await other.execute("select pg_advisory_lock($1)", LOCK)
        await weeks.tend(NOW + timedelta(weeks=20))
        assert "webhook_deliveries_20270412" not in await weeks.tables()
    finally:
        await other.close()


async def test_who_holds_a_table_up_is_waited_for_and_nothing_is_half_done(weeks: Weeks) -> None:
    await weeks.add("dlv", NOW + timedelta(weeks=30))
    before, other = await weeks.tables(), await _connect(weeks.settings)
    try:
        async with other.transaction():
            await other.execute("select * from webhook_deliveries")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await weeks.tend()
            assert await weeks.tables() == before
        await weeks.tend()
        assert "webhook_deliveries_20270621" in await weeks.tables()
    finally:
        await other.close()


async def test_rows_of_before_the_weeks_are_kept(live_settings: Settings) -> None:
    before = [one for one in available() if one[0] < "0007"]
    connection = await _connect(live_settings)
    try:
        await connection.execute(f"create schema {live_settings.schema_name}")
        for _, sql in before:
            await connection.execute(sql)
        await connection.execute(
            "create table schema_migrations(name text primary key, applied_at timestamptz)"
        )
        await connection.executemany(
            "insert into schema_migrations values($1, now())", [(name,) for name, _ in before]
        )
        at = datetime.now(UTC) - timedelta(days=5)
        await connection.execute(OLD_DELIVERY, "dlv", at)
        await connection.execute(OLD_ATTEMPT, "dlv", at)
        await migrate(live_settings)
        weeks = Weeks(live_settings, connection)
        places = await weeks.places()
        assert set(places) == {"dlv", "dlv!"}
        assert not [place for place in places.values() if place.endswith("rest")]
    finally:
        await connection.close()
