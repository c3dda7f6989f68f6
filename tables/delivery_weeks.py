"""The weeks that deliveries, attempts and requests lie in: made ahead, dropped whole in the end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

import asyncpg
import structlog

from headgate.streams.clock import from_ms, now_ms
from headgate.streams.errors import HeadgateError
from headgate.streams.settings import Settings
from headgate.tables.postgres import Postgres, statements

log = structlog.get_logger(__name__)

WEEK = timedelta(days=7)
WEEKS_AHEAD = 4
"""Weeks that are there before their time: so long may everybody who makes them be away."""
STRAYS_MAX = 60
"""Days whose rows lie in no week that one round makes weeks for."""
STALE_ROWS_MAX = 10_000
"""Rows older than the retention that one round deletes from the rest, where hardly any are."""
LOOK_EVERY_S = 3600.0
"""How often notify looks for weeks to make or to drop."""
LOOK_AGAIN_S = 60.0
"""How soon it looks again when it could not."""
LOCK = 4_803_218
"""The advisory lock that all who make weeks meet at."""


class Connection(Protocol):
    """What is needed of asyncpg's, be it pooled or not."""

    async def execute(self, query: str, *args: object) -> str:
        """Run a statement."""

    async def fetch(self, query: str, *args: object) -> Sequence[asyncpg.Record]:
        """The rows of one."""

    def transaction(self) -> AbstractAsyncContextManager[object]:
        """All or nothing."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """A table that is partitioned by weeks of one of its columns."""

    table: str
    column: str
    kept: str
    """The setting that says for how many days."""

    def keep(self, settings: Settings) -> timedelta:
        """The retention."""
        return timedelta(days=getattr(settings, self.kept))

    def part(self, monday: date) -> str:
        """The name of a week's table."""
        return f"{self.table}_{monday:%Y%m%d}"

    def sql(self, name: str, monday: date | None = None) -> str:
        """A statement of `weeks.sql` about this table, or about one of its weeks."""
        names = {"table": self.table, "rest": f"{self.table}_rest", "column": self.column}
        if monday is not None:
            names |= {"part": self.part(monday), "since": _midnight(monday)}
            names |= {"until": _midnight(monday + WEEK)}
        return statements()[name].format(**names)


def _midnight(day: date) -> str:
    return datetime.combine(day, time(), UTC).isoformat()


TABLES = (
    Weekly("webhook_deliveries", "created_at", "webhook_retention_days"),
    Weekly("webhook_attempts", "delivery_created_at", "webhook_retention_days"),
    Weekly("api_requests", "at", "request_log_days"),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Mondays of weeks to make and to drop."""

    make: tuple[date, ...]
    drop: tuple[date, ...]


def monday_of(day: date) -> date:
    """The first day of a day's week."""
    return day - timedelta(days=day.weekday())


def plan(today: date, keep: timedelta, present: Collection[date], strays: Collection[date]) -> Plan:
    """What is to be done: this week, the last and those ahead are there, and the weeks of strays;
    a week goes when its last day is older than `keep`."""
    oldest = today - keep
    ahead = {monday_of(today) + WEEK * number for number in range(-1, WEEKS_AHEAD + 1)}
    wanted = {week for week in ahead.union(strays) if week + WEEK > oldest}
    return Plan(
        tuple(sorted(wanted - set(present))),
        tuple(sorted(week for week in present if week + WEEK <= oldest)),
    )


async def tend(connection: Connection, settings: Settings, at_ms: int) -> None:
    """Make the weeks that are missing and drop those whose time is over, unless somebody else is
    at it. Raises what asyncpg raises; what was done by then stays done."""
    (row,) = await connection.fetch(statements()["weeks_tending"], LOCK)
    if not row["mine"]:
        return
    try:
        for weekly in TABLES:
            await _tend(connection, weekly, settings, from_ms(at_ms))
    finally:
        await connection.fetch(statements()["weeks_tended"], LOCK)


async def _tend(connection: Connection, weekly: Weekly, settings: Settings, now: datetime) -> None:
    keep = weekly.keep(settings)
    strays = await connection.fetch(weekly.sql("weeks_of_strays"), now - keep, STRAYS_MAX)
    weeks = {monday_of(row["day"]) for row in strays}
    todo = plan(now.date(), keep, await _present(connection, weekly), weeks)
    for week in todo.make:
        await _change(connection, weekly, week, _MAKE)
    for week in todo.drop:
        await _change(connection, weekly, week, _DROP)
        log.info("week dropped", table=weekly.table, week=week.isoformat())
    await connection.execute(weekly.sql("weeks_forget"), now - keep, STALE_ROWS_MAX)


async def _present(connection: Connection, weekly: Weekly) -> set[date]:
    rows = await connection.fetch(statements()["weeks_present"], weekly.table)
    found = (re.fullmatch(rf"{weekly.table}_(\d{{8}})", row["relname"]) for row in rows)
    return {date.fromisoformat(one[1]) for one in found if one}


async def _change(connection: Connection, weekly: Weekly, week: date, names: Sequence[str]) -> None:
    async with connection.transaction():
        for name in ("weeks_patience", *names):
            await connection.execute(weekly.sql(name, week))


_MAKE = ("week_make", "week_hold", "week_fill", "week_attach")
"""A week's table, with the rows that waited for it. Writers of those wait meanwhile."""
_DROP = ("week_drop",)


class DeliveryWeeks:
    """Keeps the weeks in order for as long as a worker lives."""

    def __init__(self, settings: Settings, postgres: Postgres) -> None:
        self._settings = settings
        self._postgres = postgres

    async def run(self) -> None:
        """Look for ever; PostgreSQL away is tried again."""
        while True:
            try:
                async with self._postgres.connection() as connection:
                    await tend(connection, self._settings, now_ms())
                wait_s = LOOK_EVERY_S
            except HeadgateError as error:
                log.warning("weeks of deliveries wait", reason=str(error))
                wait_s = LOOK_AGAIN_S
            await asyncio.sleep(wait_s)
