"""Retry now: the edge asks, the lane that owns the endpoint makes the attempt (08 R28)."""

from __future__ import annotations

from datetime import datetime

from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.exchange import Exchange
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.problems_of_services import OutcomeUnknown
from headgate.http.routing import json_answer
from headgate.http.webhook_deliveries import DELIVERY_ID, as_json, delivery_shown
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.cards import quoted
from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.errors import LogUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey
from headgate.tables.deliveries import manual_token, ready
from headgate.tables.postgres import Postgres, Row


class DeliveryCommands:
    """`POST /webhook_deliveries/{id}/retry`, and the seed's `POST /webhooks/{id}/retry`."""

    def __init__(
        self, settings: Settings, authenticator: Authenticator, postgres: Postgres, bus: Bus
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._postgres = postgres
        self._bus = bus

    async def retry(self, exchange: Exchange) -> Response:
        """Ask for one more attempt, and show the delivery as it was when that was asked."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:write")
        row = await self._delivery(exchange, api_key)
        key = exchange.idempotency_key() or ids.draw_key()
        await self._publish(self._wanted(row, key), key)
        return json_answer(as_json(delivery_shown(row["shown"])), 202)

    async def seed_retry(self, exchange: Exchange) -> Response:
        """The same, answered as the seed does."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:write")
        row = await self._delivery(exchange, api_key)
        key = exchange.idempotency_key() or ids.draw_key()
        await self._publish(self._wanted(row, key), key)
        return json_answer(
            {"id": row["id"], "status": "pending", "message": "Webhook retry scheduled"}
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
        if not self._bus.available:
            raise LogUnavailable("the log is known to be away")
        try:
            await self._bus.publish([record])
        except LogUnavailable:
            raise OutcomeUnknown(
                "There was no answer in time: this may or may not be done. Repeat the request with "
                "the Idempotency-Key of this answer, which asks for the same.",
                retry_after_s=self._settings.retry_after_s,
                headers={"Idempotency-Key": key},
            ) from None

    def _wanted(self, row: Row, key: str) -> Record:
        """The attempt to be made; under one key it is always the same one (08 R15, R28)."""
        token = manual_token(row["id"], ids.command_id(row["id"], "retry", key))
        return ready(wanted_of(row, token), self._settings)


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
