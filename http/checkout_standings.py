"""Where a checkout session is now, read from its payments, and waiting for that to change."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from headgate.http.checkout_access import customer_of
from headgate.http.decisions import Decisions
from headgate.http.finding import Finder
from headgate.streams.settings import Settings
from headgate.tables.checkout import StoredSession
from headgate.tables.checkout_standing import Standing, standing_of, status_of
from headgate.tables.postgres import Postgres
from headgate.tables.store import PaymentStore

POLL_S, POLL_MAX_S = 0.05, 0.4
"""How often a payment is looked at again, first and at last; one statement serves all who wait."""


class Standings:
    """Reads standings. All methods raise StoreUnavailable."""

    def __init__(
        self, settings: Settings, postgres: Postgres, decisions: Decisions, finder: Finder
    ) -> None:
        self._payments = PaymentStore(postgres)
        self._decisions = decisions
        self._finder = finder
        self._attempts_max = settings.checkout_attempts_max
        self._waiting_max = settings.checkout_waiting_max
        self._read_wait_ms = settings.read_wait_ms
        self._waiting = 0

    async def of(self, session: StoredSession) -> Standing:
        """Where the session is. A payment that settle has not stored yet is on its way."""
        numbers = range(1, self._attempts_max + 1)
        stored = await self._payments.payments(map(session.payment_id, numbers))
        standing = standing_of(session, stored, self._attempts_max)
        if standing.status not in ("open", "expired"):
            return standing
        payment_id = session.payment_id(standing.attempt)
        begun = await self._finder.begun(payment_id, customer_of(session))
        return replace(standing, status="processing") if begun else standing

    async def after(self, session: StoredSession, seen: str | None, wait_s: int) -> Standing:
        """Where the session is, as soon as that is another status than the one `seen`, or when the
        time is over. When too many wait already this one does not."""
        standing = await self.of(session)
        if standing.status != seen or not wait_s or self._waiting >= self._waiting_max:
            return standing
        self._waiting += 1
        try:
            await self._changed(session.payment_id(standing.attempt), seen, wait_s)
        finally:
            self._waiting -= 1
        return await self.of(session)

    async def _changed(self, payment_id: str, seen: str, wait_s: int) -> None:
        pause_s, deadline = POLL_S, time.monotonic() + wait_s
        while time.monotonic() < deadline:
            await asyncio.sleep(pause_s)
            payment = await self._decisions.payment(payment_id, self._read_wait_ms)
            if payment is not None and status_of(payment) != seen:
                return
            pause_s = min(2 * pause_s, POLL_MAX_S)
