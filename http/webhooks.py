"""`/api/v1/webhooks`: the seed's list of deliveries, with where they go."""

from __future__ import annotations

from datetime import datetime
from typing import cast

import orjson
from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.exchange import LIMIT_DEFAULT, Exchange, whole_number
from headgate.http.problems import Json
from headgate.http.routing import json_answer
from headgate.streams.clock import iso
from headgate.streams.errors import SecretUnreadable
from headgate.streams.secrets import SecretBox, mask
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey
from headgate.tables.postgres import Postgres, Row

OFFSET_MAX = 1_000_000
_SEED_STATUS = {"held": "pending", "parked": "pending", "canceled": "failed"}
"""The seed's words for what it did not know."""


class Webhooks:
    """`GET /webhooks`."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        postgres: Postgres,
        box: SecretBox,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._postgres = postgres
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
