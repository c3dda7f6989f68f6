"""The way of accepted commands to the log: one batch at a time, per payment in order (08 R14)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from headgate.http.claims import Before, Claims
from headgate.http.submission import Submission
from headgate.streams.bus import Bus, Record
from headgate.streams.coalesce import Coalescer
from headgate.streams.errors import CacheUnavailable, LogUnavailable
from headgate.streams.settings import Settings

log = structlog.get_logger(__name__)

TURN_POLL_MS = 10
"""How often an entry looks whether the one before it is on the log."""


class _Sent(NamedTuple):
    record: Record
    era: str | None
    """Only while this era lasts; None: whenever."""


class Sending:
    """Produces what the outbox holds and what goes around it.

    An era ends when something had to be left in the outbox. What stands behind an entry of this
    process and of this era may follow at once: that entry is on the log, or goes before it in the
    queue. Behind any other entry it waits until that one has gone: the outbox hands over in order.
    """

    def __init__(self, settings: Settings, bus: Bus, claims: Claims, name: str) -> None:
        """`name` tells this process from others."""
        self._bus = bus
        self._claims = claims
        self._name = name
        self._eras = 0
        self._held_back: set[str] = set()
        """Commands of this process that wait for their turn."""
        self._log: Coalescer[_Sent, str | None] = Coalescer(
            self._publish, batch_max=settings.handoff_batch_max
        )
        self._new_era()

    @property
    def possible(self) -> bool:
        """Whether the log is not known to be away."""
        return self._bus.available

    async def now(self, submission: Submission) -> str:
        """Produce what is in no outbox. Raises LogUnavailable: it may be on the log or not."""
        position = await self._log.submit(_Sent(submission.record, None))
        assert position is not None  # noqa: S101  only what waits for an era is left
        return position

    async def in_turn(
        self, submission: Submission, before: Before | None, deadline: float
    ) -> str | None:
        """Produce a command that the outbox holds behind `before`; its position, or None when it
        was left there, since the log is away or its turn did not come until the deadline."""
        position = None
        try:
            if self._bus.available:
                position = await self._sent(submission, before, deadline)
        except LogUnavailable as error:
            log.info("left in the outbox", command_id=submission.command_id, reason=str(error))
        finally:
            if position is None:
                self._new_era()
        return position

    async def drain(self, timeout_s: float) -> None:
        """Wait for what was begun."""
        await self._log.drain(timeout_s)

    async def _sent(
        self, submission: Submission, before: Before | None, deadline: float
    ) -> str | None:
        if before is None:
            return await self._log.submit(_Sent(submission.record, None))
        if before.owner == self._claims.owner and before.command_id not in self._held_back:
            return await self._log.submit(_Sent(submission.record, self._claims.owner))
        self._held_back.add(submission.command_id)
        try:
            if not await self._gone(before.command_id, deadline):
                return None
            sent = self._log.submit(_Sent(submission.record, None))
        finally:
            self._held_back.discard(submission.command_id)
        return await sent

    async def _gone(self, command_id: str, deadline: float) -> bool:
        """Whether an entry leaves the outbox until then."""
        try:
            while await self._claims.holds(command_id):
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(TURN_POLL_MS / 1000)
        except CacheUnavailable:
            return False
        return True

    def _new_era(self) -> None:
        self._eras += 1
        self._claims.owner = f"{self._name}:{self._eras}"

    async def _publish(self, items: Sequence[_Sent]) -> Sequence[str | None]:
        if not self._bus.available:
            raise LogUnavailable("the log is known to be away")
        lasting = [item.era in (None, self._claims.owner) for item in items]
        records = [item.record for item, lasts in zip(items, lasting, strict=True) if lasts]
        try:
            positions = iter(await self._bus.publish(records))
        except LogUnavailable:
            self._new_era()
            raise
        return [str(next(positions)) if lasts else None for lasts in lasting]
