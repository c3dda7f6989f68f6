"""`POST /webhook_endpoints/{id}/test`: an event that means nothing, all the way to one endpoint."""

from __future__ import annotations

from starlette.responses import Response

from headgate.http.exchange import Exchange
from headgate.http.problems_of_replays import EndpointDisabled
from headgate.http.routing import json_answer
from headgate.http.unsure import publish_or_unsure
from headgate.http.webhook_endpoint_access import EndpointAccess
from headgate.http.webhook_endpoint_actions import Named
from headgate.http.webhook_endpoint_schemas import WebhookTestAnswer
from headgate.streams import ids
from headgate.streams.bus import Bus
from headgate.streams.clock import now_ms
from headgate.streams.operational_events import EndpointNamed, webhook_test
from headgate.streams.settings import Settings


class WebhookTest:
    """Puts `webhook.test` on the log. It is matched, signed, sent and tried again like any event,
    and goes to the endpoint that is named, whatever that asks for."""

    def __init__(self, settings: Settings, access: EndpointAccess, bus: Bus, named: Named) -> None:
        self._settings = settings
        self._access = access
        self._bus = bus
        self._named = named

    async def send(self, exchange: Exchange) -> Response:
        """Send a test; under one idempotency key it is one event, however often it is asked for.

        Raises EndpointDisabled, LogUnavailable or OutcomeUnknown.
        """
        api_key = await self._access.key_of(exchange, "webhooks:write")
        found = await self._named(exchange, api_key)
        if not found.enabled:
            raise EndpointDisabled(f"The webhook endpoint {found.id} is disabled; enable it first.")
        key = exchange.idempotency_key() or ids.draw_key()
        endpoint = EndpointNamed(id=found.id, merchant_id=found.merchant_id)
        event = webhook_test(endpoint, found.mode, key, now_ms())
        record = event.record(self._settings)
        await publish_or_unsure(self._bus, record, key, self._settings.retry_after_s)
        answer = WebhookTestAnswer(
            id=event.event_id,
            endpoint_id=found.id,
            delivery_id=ids.delivery_id(event.event_id, found.id),
            livemode=found.mode == "live",
        )
        return json_answer(answer.model_dump(), 202, {"Idempotency-Key": key})
