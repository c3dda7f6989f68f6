"""The relay: operational events that were noted in PostgreSQL go on the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from headgate.streams.bus import Bus
from headgate.streams.errors import Unavailable
from headgate.streams.operational_events import EventBytes
from headgate.streams.settings import Settings
from headgate.tables.webhook_events import WebhookEvents

log = structlog.get_logger(__name__)


class EventRelay:
    """Runs in every notify worker; they share the work. An event that is told twice is one event:
    its id is derived, and matching finds the delivery that it made."""

    def __init__(self, settings: Settings, events: WebhookEvents, bus: Bus) -> None:
        self._settings = settings
        self._events = events
        self._bus = bus

    async def run(self) -> None:
        """Tell what is noted, for ever; a dependency that is away is waited for."""
        while True:
            try:
                told = await self._events.tell(self._publish, self._settings.batch_max)
            except Unavailable as error:
                log.warning("operational events wait", reason=str(error))
                told = 0
            if told < self._settings.batch_max:
                await asyncio.sleep(self._settings.webhook_events_relay_ms / 1000)

    async def _publish(self, events: Sequence[EventBytes]) -> None:
        await self._bus.publish([event.record(self._settings) for event in events])
