"""Which weeks of deliveries are to be made and which to be dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import cast

import pytest

from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables import delivery_weeks
from headgate.tables.delivery_weeks import (
    LOOK_AGAIN_S,
    LOOK_EVERY_S,
    TABLES,
    WEEK,
    WEEKS_AHEAD,
    DeliveryWeeks,
    Plan,
    monday_of,
    plan,
)
from headgate.tables.postgres import Postgres as RealPostgres

KEEP = timedelta(days=90)
TODAY = date(2026, 11, 26)
THIS_WEEK = date(2026, 11, 23)
AHEAD = tuple(THIS_WEEK + WEEK * number for number in range(-1, WEEKS_AHEAD + 1))


def test_a_week_begins_on_monday() -> None:
    assert [monday_of(THIS_WEEK + timedelta(days=day)) for day in range(7)] == [THIS_WEEK] * 7


def test_at_first_the_last_this_and_the_coming_weeks_are_made() -> None:
    assert plan(TODAY, KEEP, (), ()) == Plan(AHEAD, ())


def test_what_is_there_is_not_made_again() -> None:
    assert plan(TODAY, KEEP, AHEAD, ()) == Plan((), ())
    assert plan(TODAY + WEEK, KEEP, AHEAD, ()) == Plan((AHEAD[-1] + WEEK,), ())


def test_a_week_goes_when_its_last_day_is_older_than_the_retention() -> None:
    oldest = monday_of(TODAY - KEEP)
    weeks = [oldest - WEEK * 2, oldest - WEEK, oldest, *AHEAD]
    assert plan(TODAY, KEEP, weeks, ()) == Plan((), (oldest - WEEK * 2, oldest - WEEK))
    end = oldest + WEEK + KEEP
    assert oldest not in plan(end - timedelta(days=1), KEEP, weeks, ()).drop
    assert oldest in plan(end, KEEP, weeks, ()).drop


def test_rows_without_a_week_get_theirs_unless_it_would_go_at_once() -> None:
    far = THIS_WEEK + WEEK * 50
    assert plan(TODAY, KEEP, AHEAD, (far, THIS_WEEK - WEEK * 30)) == Plan((far,), ())


def test_a_short_retention_keeps_the_present() -> None:
    assert THIS_WEEK in plan(TODAY, timedelta(days=1), (), ()).make


def test_a_deliverys_attempts_lie_in_its_week() -> None:
    assert {weekly.part(THIS_WEEK) for weekly in TABLES} == {
        "webhook_deliveries_20261123",
        "webhook_attempts_20261123",
        "api_requests_20261123",
    }


def test_each_table_keeps_its_own_time() -> None:
    settings = Settings(webhook_retention_days=90, request_log_days=7)
    kept = {weekly.table: weekly.keep(settings).days for weekly in TABLES}
    assert kept == {"webhook_deliveries": 90, "webhook_attempts": 90, "api_requests": 7}


async def test_postgresql_away_is_tried_again_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    looks = [StoreUnavailable("away"), None]

    class Postgres:
        @asynccontextmanager
        async def connection(self) -> AsyncIterator[object]:
            if (problem := looks.pop(0)) is not None:
                raise problem
            yield object()

    async def tend(*_: object) -> None:
        """Nothing to do."""

    async def sleep(wait_s: float) -> None:
        waits.append(wait_s)
        if not looks:
            raise asyncio.CancelledError

    monkeypatch.setattr(delivery_weeks, "tend", tend)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await DeliveryWeeks(Settings(), cast("RealPostgres", Postgres())).run()
    assert waits == [LOOK_AGAIN_S, LOOK_EVERY_S]
