"""The way around Redis: when it is taken, which keys took it, and the way back (00 A4, 08 R13)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from headgate.http.cache import Cache, Script
from headgate.http.journal import Journal
from headgate.streams import ids
from headgate.streams.bus import delays_s
from headgate.streams.errors import CacheUnavailable
from headgate.streams.settings import Settings

log = structlog.get_logger(__name__)

PROBE_MS, PROBE_MAX_MS = 50, 1000
"""First and longest wait between two tries to reach a Redis that is away."""


class Detour:
    """Whether Redis is in use. After its first failure nobody waits for it again until it has
    answered a probe *and* knows every key that went around it meanwhile: otherwise it would call
    a used key new, and the answer could name another amount than the one decided."""

    def __init__(self, settings: Settings, cache: Cache) -> None:
        self._cache = cache
        self._doubt = Script("doubt.lua")
        self._window_ms = settings.idempotency_window_s * 1000
        self._batch_max = settings.handoff_batch_max
        self._keys_max = settings.outbox_entries_max
        self._journal = Journal(settings.state_dir, settings.schema_name)
        self._keys: set[str] = set()
        self._too_many = False
        self._returning: asyncio.Task[None] | None = None
        self.available = False

    async def start(self, wait_s: float) -> None:
        """Look for Redis; it being away is no error."""
        for key_id in self._journal.left_behind():
            self._note(key_id)
        self.take("not reached yet")
        if self._returning is not None:
            await asyncio.wait({self._returning}, timeout=wait_s)

    async def stop(self) -> None:
        """Stop looking. Keys not yet told to Redis stay in the journal for the next start."""
        if self._returning is not None:
            self._returning.cancel()
            await asyncio.wait({self._returning})
        self._journal.close()

    def take(self, reason: str) -> None:
        """Go around Redis from now on, and look for it in the background."""
        if self.available:
            log.warning("going around redis", reason=reason)
        self.available = False
        if self._returning is None or self._returning.done():
            self._returning = asyncio.create_task(self._return(), name="redis-return")

    def remember(self, key_id: str) -> None:
        """A client's key whose command goes around Redis; to be called before it is published."""
        if key_id not in self._keys:
            self._note(key_id)
            self._journal.add(key_id)
        self.take("a key went around it")

    def _note(self, key_id: str) -> None:
        if len(self._keys) < self._keys_max:
            self._keys.add(key_id)
        else:
            self._too_many = True

    async def _return(self) -> None:
        for delay_s in delays_s(PROBE_MS, PROBE_MAX_MS):
            try:
                await self._cache.ping()
                while self._keys or self._too_many:
                    await self._tell(list(self._keys)[: self._batch_max])
            except CacheUnavailable:
                await asyncio.sleep(delay_s)
                continue
            self._journal.clear()
            self.available = True
            log.info("redis is in use")
            return

    async def _tell(self, keys: Sequence[str]) -> None:
        """Mark keys as unsure; when they were too many, let Redis vouch for nothing (08 R13)."""
        token = ids.draw_id("rds_") if self._too_many else ""
        claims = [f"claim:{key_id}" for key_id in keys]
        await self._cache.run(self._doubt, ["born", *claims], [self._window_ms, token])
        self._keys.difference_update(keys)
        self._too_many = self._too_many and not token
