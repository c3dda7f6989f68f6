"""Retry now and cancel: the edge asks, the lane that owns the endpoint does it (08 R28)."""

from __future__ import annotations

from datetime import datetime

from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.exchange import Exchange
from headgate.http.problems_of_deliveries import WebhookDeliveryNotFirst, WebhookDeliveryOver
from headgate.http.problems_of_replays import EndpointDisabled
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.routing import json_answer
from headgate.http.unsure import publish_or_unsure
from headgate.http.webhook_deliveries import DELIVERY_ID, as_json, delivery_shown
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.cards import quoted
from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.settings import Settings
from headgate.tables import notices
from headgate.tables.configuration import ApiKey, ConfigurationCopy, Endpoint
from headgate.tables.deliveries import manual_token, ready
from headgate.tables.held_store import HeldStore
from headgate.tables.postgres import Postgres, Row


class DeliveryCommands:
    """`POST /webhook_deliveries/{id}/retry` and `/cancel`, and the seed's
    `POST /webhooks/{id}/retry`."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        postgres: Postgres,
        bus: Bus,
        configuration: ConfigurationCopy,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._postgres = postgres
        self._held = HeldStore(postgres)
        self._bus = bus
        self._configuration = configuration

    async def retry(self, exchange: Exchange) -> Response:
        """Ask for one more attempt, and show the delivery as it was when that was asked."""
        return _told(await self._retry(exchange))

    async def seed_retry(self, exchange: Exchange) -> Response:
        """The same, answered as the seed does."""
        row = await self._retry(exchange)
        return json_answer(
            {"id": row["id"], "status": "pending", "message": "Webhook retry scheduled"}
        )

    async def cancel(self, exchange: Exchange) -> Response:
        """Ask that no attempt follow. One that is under way goes on; its outcome is recorded."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:write")
        row = await self._delivery(exchange, api_key)
        key = exchange.idempotency_key() or ids.draw_key()
        if row["status"] == "canceled":
            return _told(row)
        if row["status"] in _ENDED:
            raise WebhookDeliveryOver(
                f"The delivery {_ENDED[row['status']]}; there is nothing to cancel."
            )
        nonce = ids.command_id(row["id"], "cancel", key)
        record = notices.cancel(
            wanted_of(row, manual_token(row["id"], nonce)), nonce, self._settings
        )
        await self._publish(record, key)
        return _told(row)

    async def _retry(self, exchange: Exchange) -> Row:
        """Raises WebhookDeliveryOver, WebhookDeliveryNotFirst, EndpointDisabled."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:write")
        row = await self._delivery(exchange, api_key)
        key = exchange.idempotency_key() or ids.draw_key()
        if row["status"] == "canceled":
            raise WebhookDeliveryOver("The delivery was canceled; replay its event to send it.")
        endpoint = self._configuration.now.endpoints.get(row["endpoint_id"])
        if endpoint is not None:
            await self._check_takes(endpoint, row["id"])
        await self._publish(self._wanted(row, key), key)
        return row

    async def _check_takes(self, endpoint: Endpoint, delivery_id: str) -> None:
        """Whether the endpoint may get this delivery now (08 R31, R32)."""
        if endpoint.deleted:
            raise WebhookDeliveryOver("The endpoint of the delivery was deleted.")
        if not endpoint.enabled:
            raise EndpointDisabled(f"The webhook endpoint {endpoint.id} is disabled.")
        first = await self._held.before(delivery_id) if endpoint.fifo else None
        if first is not None:
            raise WebhookDeliveryNotFirst(
                f"The endpoint takes its deliveries in order; {first} is first."
            )

    async def _delivery(self, exchange: Exchange, api_key: ApiKey) -> Row:
        """The row of this merchant's delivery, with its event. Raises ResourceMissing."""
        delivery_id, row = exchange.path("id"), None
        if DELIVERY_ID.fullmatch(delivery_id):
            whose = (api_key.merchant_id, api_key.mode)
            row = await self._postgres.fetch_row("delivery", delivery_id, *whose)
        if row is None:
            raise ResourceMissing(f"There is no webhook delivery {quoted(delivery_id)}.")
        return row

    async def _publish(self, record: Record, key: str) -> None:
        await publish_or_unsure(self._bus, record, key, self._settings.retry_after_s)

    def _wanted(self, row: Row, key: str) -> Record:
        """The attempt to be made; under one key it is always the same one (08 R15, R28)."""
        token = manual_token(row["id"], ids.command_id(row["id"], "retry", key))
        return ready(wanted_of(row, token), self._settings)


_ENDED = {"success": "has arrived", "failed": "was given up"}
"""How a delivery has ended that is not to be canceled any more."""


def _told(row: Row) -> Response:
    """The delivery as it was when the command was asked for, which is not decided yet."""
    return json_answer(as_json(delivery_shown(row["shown"])), 202)


def wanted_of(row: Row, token: str) -> DeliveryWanted:
    """An attempt of the row's delivery that a person asks for."""
    created_at: datetime = row["created_at"]
    return DeliveryWanted(
        delivery_id=row["id"],
        event_id=row["event_id"],
        endpoint_id=row["endpoint_id"],
        merchant_id=row["merchant_id"],
        payment_id=row["payment_id"],
        replay_id=row["replay_id"],
        mode=row["mode"],
        type=row["type"],
        attempt=max(1, row["attempts"]),
        token=token,
        manual=True,
        body=row["payload"].decode(),
        created_at_ms=round(created_at.timestamp() * 1000),
    )
