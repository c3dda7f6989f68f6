"""Project: attempts on the log become the rows that merchants and operators look at."""

from __future__ import annotations

import structlog

from headgate.agents.webhook_watch import WebhookWatch
from headgate.streams.bus import Bus, Record
from headgate.streams.codec import dead_letter, decode
from headgate.streams.crashpoints import reach
from headgate.streams.deliveries import ATTEMPT_MADE, DELIVERY_NOTED, NOTICE, AttemptMade
from headgate.streams.engine.batch import Batch
from headgate.streams.engine.intake import Delivered
from headgate.streams.errors import CannotDecode
from headgate.streams.settings import Settings
from headgate.streams.topics import WEBHOOKS_ATTEMPTS
from headgate.tables.deliveries_store import DeliveryStore
from headgate.tables.held_store import Noted
from headgate.tables.isolation import isolated

log = structlog.get_logger(__name__)


class Project:
    """Handler of the attempts loop. Handling an attempt twice equals handling it once, by
    (`delivery_id`, `token`); a delivery that has arrived stays arrived."""

    def __init__(
        self, settings: Settings, store: DeliveryStore, bus: Bus, watch: WebhookWatch
    ) -> None:
        self._settings = settings
        self._store = store
        self._bus = bus
        self._watch = watch

    async def handle(self, batch: Batch) -> None:
        """Store the batch. Raises Unavailable (try the same batch again), ClaimLost."""
        await isolated(batch, self._project, self._refuse)

    async def _refuse(self, batch: Batch, reason: str) -> None:
        """08 R6: the only record of the batch is one that PostgreSQL will never take."""
        log.error("attempt refused", offset=batch.records[0].offset, reason=reason)
        await self._store.project(batch.claims, batch.positions(), [], [])
        await self._bus.publish_until_acked([self._dead(batch.records[0], reason)])

    async def _project(self, batch: Batch) -> None:
        seen: list[tuple[int, AttemptMade]] = []
        noted: list[Noted] = []
        dead: list[Record] = []
        for record in batch.records:
            try:
                if NOTICE in record.headers:
                    noted.append(Noted(decode(DELIVERY_NOTED, record.value), record.partition))
                else:
                    seen.append((record.offset, decode(ATTEMPT_MADE, record.value)))
            except CannotDecode as error:
                dead.append(self._dead(record, str(error)))
        made = [one for _, one in seen]
        await self._store.project(batch.claims, batch.positions(), made, noted)
        reach("project.stored")
        await self._watch.saw(seen)
        if dead:
            await self._bus.publish_until_acked(dead)

    def _dead(self, record: Delivered, reason: str) -> Record:
        origin = record.as_record(WEBHOOKS_ATTEMPTS.full_name(self._settings))
        return dead_letter(WEBHOOKS_ATTEMPTS, self._settings, origin, record.offset, reason)
