"""What is on record of wanted attempts, asked of PostgreSQL for many at once."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from headgate.streams.coalesce import Coalescer
from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.errors import StoreUnavailable
from headgate.tables.deliveries_store import DeliveryStore, Known
from headgate.tables.postgres import RowRefused

log = structlog.get_logger(__name__)

STORE_AWAY_S = 5.0
"""After PostgreSQL did not answer, attempts are made unchecked for so long."""


class AttemptsKnown:
    """Looks up attempts; with PostgreSQL away nothing is known of any, so they are made."""

    def __init__(self, store: DeliveryStore, *, batch_max: int) -> None:
        self._store = store
        self._asked = Coalescer[DeliveryWanted, Known](self._look_up, batch_max=batch_max)
        self._away_until = 0.0

    async def of(self, wanted: DeliveryWanted) -> Known:
        """What is known of the attempt."""
        return await self._asked.submit(wanted)

    async def _look_up(self, wanted: Sequence[DeliveryWanted]) -> Sequence[Known]:
        if time.monotonic() >= self._away_until:
            try:
                return await self._store.known(wanted)
            except (StoreUnavailable, RowRefused) as error:
                log.warning("attempts are made unchecked", reason=str(error))
                self._away_until = time.monotonic() + STORE_AWAY_S
        return [Known()] * len(wanted)
