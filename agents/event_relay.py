"""The relay: operational events that were noted in PostgreSQL go on the log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog

from headgate.streams.bus import Bus
from headgate.streams.clock import now_ms
from headgate.streams.errors import HeadgateError
from headgate.streams.operational_events import EventBytes
from headgate.streams.settings import Settings
from headgate.tables.webhook_events import WebhookEvents

log = structlog.get_logger(__name__)

FORGET_EVERY_S = 60.0
"""How often old events are looked for, a batch of them at a time."""
DAY_MS = 86_400_000
SPARE_DAYS = 7
"""Events are kept so much longer than their deliveries, which go by whole weeks."""


class EventRelay:
    """Runs in every notify worker; they share the work. An event that is told twice is one event:
    its id is derived, and matching finds the delivery that it made."""

    def __init__(self, settings: Settings, events: WebhookEvents, bus: Bus) -> None:
        self._settings = settings
        self._events = events
        self._bus = bus
        self._kept_ms = (settings.webhook_retention_days + SPARE_DAYS) * DAY_MS
        self._forget_at = time.monotonic() + FORGET_EVERY_S

    async def run(self) -> None:
        """Tell what is noted, for ever; a dependency that is away is waited for."""
        while True:
            if await self._turn() < self._settings.batch_max:
                await asyncio.sleep(self._settings.webhook_events_relay_ms / 1000)

    async def _turn(self) -> int:
        """Tell some, and now and then forget some; how many were told."""
        try:
            told = await self._events.tell(self._publish, self._settings.batch_max)
            if time.monotonic() >= self._forget_at:
                await self.forget()
        except HeadgateError as error:
            log.warning("operational events wait", reason=str(error))
            return 0
        return told

    async def forget(self) -> None:
        """Delete a batch of the events that are older than any delivery."""
        self._forget_at = time.monotonic() + FORGET_EVERY_S
        await self._events.forget(now_ms() - self._kept_ms, self._settings.batch_max)

    async def _publish(self, events: Sequence[EventBytes]) -> None:
        await self._bus.publish([event.record(self._settings) for event in events])
