"""`/api/v1/webhooks`: the seed's list, its settings, and retry now."""

from __future__ import annotations

import re
from datetime import datetime
from typing import cast

import orjson
from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.exchange import LIMIT_DEFAULT, Exchange, whole_number
from headgate.http.problems import Json
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.problems_of_services import OutcomeUnknown
from headgate.http.routing import json_answer
from headgate.streams import ids
from headgate.streams.bus import Bus, Record
from headgate.streams.cards import quoted
from headgate.streams.clock import iso
from headgate.streams.deliveries import DeliveryWanted
from headgate.streams.errors import LogUnavailable, SecretUnreadable
from headgate.streams.secrets import SecretBox, mask
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey
from headgate.tables.deliveries import manual_token, ready
from headgate.tables.postgres import Postgres, Row

DELIVERY_ID = re.compile(r"dlv_[a-z2-7]{26}")
OFFSET_MAX = 1_000_000
_SEED_STATUS = {"delivered": "success", "exhausted": "failed"}
"""The seed's words for how a delivery ended."""


class Webhooks:
    """`GET /webhooks` and `POST /webhooks/{id}/retry`."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        postgres: Postgres,
        bus: Bus,
        box: SecretBox,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._postgres = postgres
        self._bus = bus
        self._box = box

    async def listed(self, exchange: Exchange) -> Response:
        """A page of deliveries, newest first, and where they go. The secret is masked."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:read")
        query = exchange.query()
        most = self._settings.page_size_max
        limit = whole_number(query, "limit", LIMIT_DEFAULT, least=1, most=most)
        offset = whole_number(query, "offset", 0, least=0, most=OFFSET_MAX)
        whose = (api_key.merchant_id, api_key.mode)
        rows = await self._postgres.fetch("deliveries", *whose, limit, offset)
        count = await self._postgres.fetch_row("deliveries_count", *whose)
        return json_answer(
            {
                "data": [_shown(row) for row in rows],
                "total": count["count"] if count else 0,
                "config": await self._config(api_key),
                "limit": limit,
                "offset": offset,
            }
        )

    async def _config(self, api_key: ApiKey) -> Json:
        row = await self._postgres.fetch_row(
            "edge_default_endpoint", api_key.merchant_id, api_key.mode
        )
        if row is None:
            return {"webhook_url": None, "webhook_secret": None}
        try:
            secret = mask(self._box.open(row["sealed_secret"]))
        except SecretUnreadable:
            secret = mask("")  # Another HEADGATE_SECRET_KEY sealed it; the list need not fail.
        return {"webhook_url": row["url"], "webhook_secret": secret}

    async def retry(self, exchange: Exchange) -> Response:
        """Ask for one more attempt, now. The lane that owns the endpoint makes it (08 R28)."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:write")
        delivery_id = exchange.path("id")
        row = None
        if DELIVERY_ID.fullmatch(delivery_id):
            row = await self._postgres.fetch_row(
                "delivery", delivery_id, api_key.merchant_id, api_key.mode
            )
        if row is None:
            raise ResourceMissing(f"There is no webhook delivery {quoted(delivery_id)}.")
        await self._publish(row, exchange.idempotency_key() or ids.draw_key())
        return json_answer(
            {"id": delivery_id, "status": "pending", "message": "Webhook retry scheduled"}
        )

    async def _publish(self, row: Row, key: str) -> None:
        if not self._bus.available:
            raise LogUnavailable("the log is known to be away")
        try:
            await self._bus.publish([self._wanted(row, key)])
        except LogUnavailable:
            raise OutcomeUnknown(
                "There was no answer in time: the attempt may or may not be made. Repeat the "
                "request with the Idempotency-Key of this answer, which asks for the same attempt.",
                retry_after_s=self._settings.retry_after_s,
                headers={"Idempotency-Key": key},
            ) from None

    def _wanted(self, row: Row, key: str) -> Record:
        """The attempt to be made; under one key it is always the same one (08 R15, R28)."""
        wanted = DeliveryWanted(
            delivery_id=row["id"],
            event_id=row["event_id"],
            endpoint_id=row["endpoint_id"],
            merchant_id=row["merchant_id"],
            payment_id=row["payment_id"],
            mode=row["mode"],
            type=row["type"],
            attempt=max(1, row["attempts"]),
            token=manual_token(row["id"], ids.command_id(row["id"], "retry", key)),
            manual=True,
            body=row["payload"].decode(),
            created_at_ms=_ms(row, "created_at"),
        )
        return ready(wanted, self._settings)


def _shown(row: Row) -> Json:
    """A delivery as the seed's list has it."""
    times = ("last_attempt_at", "next_retry_at", "created_at")
    payload = row["payload"]
    return {
        "id": row["id"],
        "merchant_id": row["merchant_id"],
        "event": row["event"],
        "payload": cast("Json", orjson.loads(payload)) if payload else None,
        "status": _SEED_STATUS.get(row["status"], row["status"]),
        "attempts": row["attempts"],
        "response_code": row["response_code"],
        "response_body": row["response_body"],
        **{name: iso(_ms(row, name)) if row[name] else None for name in times},
    }


def _ms(row: Row, name: str) -> int:
    at: datetime = row[name]
    return round(at.timestamp() * 1000)
