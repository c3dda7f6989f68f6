"""The last 15 minutes in steps: asked for gently, remembered, and never made up."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any, cast

import pytest

from headgate.dashboard.now import MEASURES
from headgate.dashboard.pulse import AGAIN, FILL_MAX, STEP_S, STEPS, Gauges, Pulse, Values, share
from headgate.tables.postgres import Postgres

NOW_S = 1_800_000_007.0
NEWEST = 1_800_000_000


class Rows:
    """A PostgreSQL that counts what it is asked; ten payments were made in every step."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def fetch_row(self, name: str, *arguments: Any) -> dict[str, Any]:
        """Rows as PostgreSQL would have them."""
        if name != "dashboard_pulse":
            return {"at": None, "found": True}
        begin: datetime = arguments[2]
        self.asked.append(int(begin.timestamp()))
        counted = {"made": 14, "succeeded": 9, "failed": 1, "delivered": 3, "undelivered": 1}
        return {**counted, "p50_ms": 12, "p99_ms": None}


class Clock:
    """The time that the pulse sees."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = NOW_S
        monkeypatch.setattr(time, "time", lambda: self.now_s)
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)


def gauging(**values: float | None) -> Gauges:
    """Gauges that show this."""

    async def gauges() -> Values:
        return values

    return gauges


async def not_asked() -> Values:
    """Gauges that must not be read."""
    raise AssertionError("nothing is due")


async def filled(pulse: Pulse, clock: Clock) -> None:
    """Refresh until nothing is missing."""
    while len(pulse.steps) < STEPS:
        clock.now_s += 0.0001
        await pulse.refresh(gauging())
        pulse._asked_at = -10


def made(rows: Rows) -> Pulse:
    return Pulse(cast("Postgres", rows), None, "test")


async def test_the_first_refresh_asks_for_the_newest_steps_and_a_few_older_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Clock(monkeypatch)
    rows = Rows()
    pulse = made(rows)
    assert await pulse.refresh(gauging(lag=3))
    assert rows.asked[0] == NEWEST
    assert len(rows.asked) <= FILL_MAX + 2
    assert pulse.steps[NEWEST]["lag"] == 3
    assert pulse.latest("rate") == 2.0  # 14 in 7 seconds
    assert pulse.steps[NEWEST - STEP_S]["rate"] == 0.9  # 14 in 15 seconds
    assert pulse.latest("success") == 90.0
    assert pulse.latest("webhooks") == 75.0
    assert pulse.latest("p99") is None


async def test_within_a_second_nobody_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, rows = Clock(monkeypatch), Rows()
    pulse = made(rows)
    await pulse.refresh(gauging())
    count = len(rows.asked)
    clock.now_s += 0.9
    assert not await pulse.refresh(not_asked)
    assert len(rows.asked) == count


async def test_old_steps_stand_and_the_newest_are_asked_for_as_time_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, rows = Clock(monkeypatch), Rows()
    pulse = made(rows)
    await filled(pulse, clock)
    assert min(pulse.steps) == NEWEST - (STEPS - 1) * STEP_S
    rows.asked.clear()
    clock.now_s += 1
    await pulse.refresh(gauging())
    assert rows.asked == [NEWEST, NEWEST - STEP_S]
    rows.asked.clear()
    clock.now_s += STEP_S
    await pulse.refresh(gauging())
    assert rows.asked == [NEWEST + STEP_S - number * STEP_S for number in range(AGAIN)]
    assert len(pulse.steps) == STEPS


def test_nothing_has_no_share() -> None:
    assert share(0, 0) is None
    assert share(0, 4) == 0
    assert MEASURES[1].words(share(0, 0)) == "-"


def test_values_read_as_people_write_them() -> None:
    assert MEASURES[0].words(1234.5) == "1,234.5 /s"
    assert MEASURES[5].words(0.0) == "0 s"
