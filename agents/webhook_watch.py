"""The watch over webhooks: what attempts on the log mean for their endpoints and deliveries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from headgate.agents.webhook_metrics import WebhookMetrics
from headgate.streams.operational_events import exhausted
from headgate.tables.endpoint_health_store import EndpointHealth, Seen
from headgate.tables.webhook_events import WebhookEvents

log = structlog.get_logger(__name__)

Disable = Callable[[str], Awaitable[bool]]
"""Disables an endpoint because nothing gets through; whether it was enabled until now. It tells
the merchant, in its own transaction."""


class WebhookWatch:
    """Looks at attempts once they are rows. Looking twice equals looking once: events have derived
    ids, counting goes by offset, and what is disabled stays so."""

    def __init__(
        self,
        events: WebhookEvents,
        health: EndpointHealth,
        disable: Disable,
        metrics: WebhookMetrics,
    ) -> None:
        self._events = events
        self._health = health
        self._disable = disable
        self._metrics = metrics

    async def saw(self, seen: Seen) -> None:
        """Tell of deliveries that failed for good, count failures, warn, and disable what has
        been failing for too long. Raises StoreUnavailable, RowRefused."""
        over = [(event, made.delivery_id) for _, made in seen if (event := exhausted(made))]
        self._metrics.exhausted.inc(await self._events.note_exhausted(over))
        self._metrics.saw([made for _, made in seen])
        for endpoint_id in await self._health.count(seen):
            if await self._disable(endpoint_id):
                self._metrics.disabled.inc()
                log.warning("endpoint disabled, nothing gets through", endpoint_id=endpoint_id)
