"""How it went lately: the last 15 minutes in steps, of one merchant or of all."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from headgate.tables.postgres import Postgres

STEP_S = 15
STEPS = 60
"""15 minutes."""
REFRESH_S = 1.0
"""How often PostgreSQL is asked, however many look."""
AGAIN = 8
"""The newest steps, whose payments may still come to their end; they are asked for anew as each
one ends. Older ones stand."""
FILL_MAX = 6
"""Steps that one refresh asks for: the past appears in seconds, and floods nobody."""

Values = Mapping[str, float | None]
"""Measures by name; None is unknown: nothing was made, so there is no share of it."""
Gauges = Callable[[], Awaitable[Values]]
"""What is measured now, because nobody can find it out later."""


@dataclass
class Pulse:
    """Steps by the second at which they begin, kept in memory and found again after a restart."""

    postgres: Postgres
    merchant_id: str | None
    mode: str
    steps: dict[int, dict[str, float | None]] = field(default_factory=dict)
    oldest: datetime | None = None
    """When the oldest event happened that is not delivered yet."""
    any_payment: bool = False
    """Whether there was ever a payment."""
    _asked_at: float = -REFRESH_S
    _newest: int = 0

    async def refresh(self, gauges: Gauges) -> bool:
        """Ask what is due, and note what `gauges` gives in the newest step; whether anything was
        asked. Raises StoreUnavailable."""
        if time.monotonic() - self._asked_at < REFRESH_S:
            return False
        now_s = time.time()
        newest = int(now_s) // STEP_S * STEP_S
        for step in self._due(newest):
            self.steps[step] = {**self.steps.get(step, {}), **await self._asked(step, now_s)}
        self.steps[newest] |= {**await gauges(), "oldest": await self._oldest_s(now_s)}
        self.any_payment = self.any_payment or await self._any()
        for old in [step for step in self.steps if step <= newest - STEPS * STEP_S]:
            del self.steps[old]
        self._newest, self._asked_at = newest, time.monotonic()
        return True

    def _due(self, newest: int) -> list[int]:
        """The steps to ask for now, the newest first."""
        wanted = [newest, newest - STEP_S]
        if newest != self._newest and self._newest:
            wanted += [newest - number * STEP_S for number in range(2, AGAIN)]
        every = (newest - number * STEP_S for number in range(STEPS))
        missing = [step for step in every if "rate" not in self.steps.get(step, {})]
        return list(dict.fromkeys([*wanted, *missing[:FILL_MAX]]))

    async def _asked(self, step: int, now_s: float) -> dict[str, float | None]:
        begin, end = (datetime.fromtimestamp(at, UTC) for at in (step, step + STEP_S))
        row = await self.postgres.fetch_row(
            "dashboard_pulse", self.merchant_id, self.mode, begin, end
        )
        assert row is not None  # noqa: S101  it counts, so it has a row
        lasted_s = min(STEP_S, max(1.0, now_s - step))
        return {
            "made": float(row["made"]),
            "rate": round(row["made"] / lasted_s, 1),
            "success": share(row["succeeded"], row["failed"]),
            "p50": row["p50_ms"],
            "p99": row["p99_ms"],
            "webhooks": share(row["delivered"], row["undelivered"]),
        }

    async def _oldest_s(self, now_s: float) -> float:
        row = await self.postgres.fetch_row(
            "dashboard_oldest_undelivered", self.merchant_id, self.mode
        )
        self.oldest = row["at"] if row else None
        return round(max(0.0, now_s - self.oldest.timestamp())) if self.oldest else 0

    async def _any(self) -> bool:
        row = await self.postgres.fetch_row("dashboard_any_payment", self.merchant_id, self.mode)
        return bool(row and row["found"])

    def latest(self, name: str) -> float | None:
        """The newest known value of a measure: of the step under way, else of the one before."""
        for step in (self._newest, self._newest - STEP_S):
            value = self.steps.get(step, {}).get(name)
            if value is not None:
                return value
        return None


def share(good: int, bad: int) -> float | None:
    """In percent; None of nothing."""
    return round(100 * good / (good + bad), 1) if good + bad else None
