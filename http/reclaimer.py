"""Publishes what waits in the outbox: entries of edges that died, and of times without a log."""

from __future__ import annotations

import asyncio

import structlog

from headgate.http.claims import Abandoned, Claims, Ending
from headgate.streams.bus import Bus
from headgate.streams.errors import CacheUnavailable, LogUnavailable
from headgate.streams.settings import Settings

log = structlog.get_logger(__name__)

INTERVAL_MS = 500
"""How often the outbox is looked through; well below the lease."""


class Reclaimer:
    """Runs in every edge. An entry may so be published twice; settle drops the second by its id.

    It takes entries only while the log answers (08 R14): a lease renewed in vain would only keep
    other edges from it.
    """

    def __init__(self, settings: Settings, bus: Bus, claims: Claims) -> None:
        self._bus = bus
        self._claims = claims
        self._batch_max = settings.handoff_batch_max

    async def run(self) -> None:
        """Look through the outbox for ever."""
        while True:
            found = 0
            if self._bus.available:
                try:
                    found = await self.once()
                except (CacheUnavailable, LogUnavailable) as error:
                    log.info("the outbox has to wait", reason=str(error))
            if found < self._batch_max:
                await asyncio.sleep(INTERVAL_MS / 1000)

    async def once(self) -> int:
        """Publish one batch of abandoned entries, oldest first; how many it was."""
        entries = await self._claims.reclaim(self._batch_max)
        if entries:
            await self._publish(entries)
            log.info("published from the outbox", entries=len(entries))
        return len(entries)

    async def _publish(self, abandoned: list[Abandoned]) -> None:
        positions = await self._bus.publish([each.entry.record for each in abandoned])
        for (command_id, entry), position in zip(abandoned, positions, strict=True):
            payment_id = entry.record.key.decode()
            self._claims.end(Ending(entry.key_id, payment_id, command_id, str(position)))
