"""The delay pump: lets records out of the delay topics when their time has come (00 A9)."""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from mode import Service

from headgate.agents.delay_session import Confirm, Counts, PumpSession
from headgate.streams.bus import Bus, delays_s
from headgate.streams.clock import now_ms
from headgate.streams.settings import Settings
from headgate.streams.topics import TIERS

log = structlog.get_logger(__name__)


async def unconfirmed() -> None:
    """For a pump that runs alone."""


class DelayPump(Service):
    """Drains every delay topic of the namespace, in a group and with a consumer of its own.

    A record leaves only when its `not-before` has passed (08 R26): to its `target`, on the same
    partition, without the delay's headers. One whose headers say neither where nor when goes to
    the dead letters of `webhooks.ready`, since no topic can be told. Errors are tried again for
    ever; nothing but `confirm` ends the pump. `bus` is started and stopped by its owner.
    """

    def __init__(self, settings: Settings, bus: Bus, *, confirm: Confirm = unconfirmed) -> None:
        super().__init__()
        self.counts = Counts()
        self._settings = settings
        self._bus = bus
        self._confirm = confirm
        self._session = self._new_session()

    @property
    def held(self) -> int:
        """Records in memory, waiting for their time."""
        return sum(len(window.waiting) for window in self._session.windows.values())

    @property
    def head_overdue_ms(self) -> dict[str, int]:
        """Per tier by how much its most overdue record is late, 0 when none is. Offset lag says
        nothing here: records of long tiers stay uncommitted for hours by design."""
        at_ms, overdue = now_ms(), dict.fromkeys((tier.label for tier in TIERS), 0)
        for window in self._session.windows.values():
            if window.waiting:
                late_ms = at_ms - window.waiting[0].due_ms
                overdue[window.tier.label] = max(overdue[window.tier.label], late_ms)
        return overdue

    async def on_stop(self) -> None:
        """Hand off nothing more, and let what is in flight finish, for a bounded time."""
        await self._session.revoke()

    @Service.task
    async def _run(self) -> None:
        pauses = self._pauses()
        while not self.should_stop:
            turned_at_ms = self.counts.turned_at_ms
            try:
                await self._session.run()
            except Exception as error:  # noqa: BLE001  supervised here, so that it never ends
                log.warning("delay pump starts again", reason=_reason(error))
            if self.counts.turned_at_ms > turned_at_ms:
                pauses = self._pauses()
            await self.sleep(next(pauses))
            self._session = self._new_session()

    def _new_session(self) -> PumpSession:
        return PumpSession(self._settings, self._bus, self.counts, self._confirm)

    def _pauses(self) -> Iterator[float]:
        return delays_s(self._settings.retry_backoff_ms, self._settings.retry_backoff_max_ms)


def _reason(error: BaseException) -> str:
    """The first reason inside a task group's error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return repr(error)
