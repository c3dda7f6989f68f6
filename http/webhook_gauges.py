"""What webhooks have left to do, for Prometheus: counted in PostgreSQL, now and then."""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress

from prometheus_client import CollectorRegistry, Gauge

from headgate.streams.errors import StoreUnavailable
from headgate.tables.postgres import Postgres, Row

COUNTS_KEPT_S = 10.0
"""For how long counts are shown again: counting is dear, and anybody may ask."""
COUNT_WAIT_S = 1.5
"""How long counting may take; beyond it nothing is known."""
COUNTED_MAX = 100_000
"""Rows of one kind that are counted at most; there may be more."""


class WebhookGauges:
    """Every edge shows the same numbers. They are NaN while PostgreSQL does not tell them."""

    def __init__(self, postgres: Postgres, registry: CollectorRegistry) -> None:
        self._postgres = postgres
        self._counted_at = -math.inf
        self._counting = asyncio.Lock()
        self._deliveries = Gauge(
            "headgate_webhook_deliveries",
            f"Deliveries that do not go on by themselves: held, parked; {COUNTED_MAX} at most.",
            ("status",),
            registry=registry,
        )
        self._replays = Gauge(
            "headgate_webhook_replays",
            "Replays under way: counting, sending, paused.",
            ("status",),
            registry=registry,
        )
        self._to_replay = Gauge(
            "headgate_webhook_replay_events_left",
            "Events that replays have found and not sent yet.",
            registry=registry,
        )
        self._failing = Gauge(
            "headgate_webhook_endpoints_failing",
            "Enabled endpoints to which the last attempt did not get through.",
            registry=registry,
        )
        self._untold = Gauge(
            "headgate_webhook_events_untold",
            f"Operational events that are not on the log yet; {COUNTED_MAX} at most.",
            registry=registry,
        )

    async def refresh(self) -> None:
        """Count again, unless that was done a moment ago. Never fails."""
        async with self._counting:
            if time.monotonic() - self._counted_at < COUNTS_KEPT_S:
                return
            row = None
            with suppress(StoreUnavailable, TimeoutError):
                async with asyncio.timeout(COUNT_WAIT_S):
                    row = await self._postgres.fetch_row("webhook_gauges", COUNTED_MAX)
            self._show(row)
            self._counted_at = time.monotonic()

    def _show(self, row: Row | None) -> None:
        def told(name: str) -> float:
            return math.nan if row is None else float(row[name])

        for status in ("held", "parked"):
            self._deliveries.labels(status).set(told(status))
        for status in ("counting", "sending", "paused"):
            self._replays.labels(status).set(told(status))
        self._to_replay.set(told("to_replay"))
        self._failing.set(told("failing"))
        self._untold.set(told("untold"))
