"""`/api/v1/webhook_deliveries`, read: which events went where, and every attempt at it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, get_args

import orjson
from starlette.responses import Response

from headgate.http.answers_of_deliveries import AttemptAnswer, Status, WebhookDeliveryAnswer
from headgate.http.auth import Authenticator
from headgate.http.consistency import Consistency
from headgate.http.exchange import Exchange
from headgate.http.pages import PAGE_PARAMETERS, Listed, Pages
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.query import Query, moment
from headgate.http.routing import json_answer
from headgate.streams.cards import quoted
from headgate.streams.clock import now_ms
from headgate.streams.delays import tier_at
from headgate.streams.settings import Settings
from headgate.tables.conditions import Conditions
from headgate.tables.configuration import ApiKey
from headgate.tables.postgres import Postgres

DELIVERY_ID = re.compile(r"dlv_[a-z2-7]{26}")
ATTEMPT_ID = re.compile(r"dlv_[a-z2-7]{26}\.[a-zA-Z0-9_.]{1,100}")
STATUSES: tuple[Status, ...] = get_args(Status)
EXPANDED = ("attempts",)
"""What `expand[]` may name."""
ATTEMPTS_SHOWN_MAX = 100
"""Attempts that `expand[]` shows at most."""
EXACT = ("endpoint_id", "type", "payment_id", "event_id", "replay_id")
"""Filters that a column must be equal to."""


def _milliseconds(text: str | None) -> int | None:
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)


def delivery_shown(text: str, at_ms: int | None = None) -> WebhookDeliveryAnswer:
    """A row of `webhook_deliveries` as merchants see it, at `at_ms`, which is now."""
    row = orjson.loads(text)
    due_ms, since_ms = (_milliseconds(row[name]) for name in ("next_retry_at", "scheduled_at"))
    tier = None
    if due_ms is not None and since_ms is not None and row["status"] == "pending":
        tier = tier_at(due_ms, since_ms, now_ms() if at_ms is None else at_ms)
    renamed = {
        "livemode": row["mode"] == "live",
        "attempt_count": row["attempts"],
        "next_attempt_at": row["next_retry_at"],
        "response_status": row["response_code"],
        "waiting_in": tier and tier.topic.name,
        "attempts": None,
    }
    return WebhookDeliveryAnswer.model_validate(row | renamed)


def attempt_shown(text: str) -> AttemptAnswer:
    """A row of `webhook_attempts` as merchants see it."""
    return AttemptAnswer.of(orjson.loads(text))


def as_json(delivery: WebhookDeliveryAnswer) -> bytes:
    """A delivery, without the member `attempts` where nobody asked for it."""
    left_out = {"attempts"} if delivery.attempts is None else None
    return delivery.model_dump_json(exclude=left_out).encode()


DELIVERIES = Listed(
    "webhook delivery",
    DELIVERY_ID,
    "webhook_deliveries_page",
    "webhook_delivery_place",
    lambda text: as_json(delivery_shown(text)),
)
ATTEMPTS = Listed(
    "webhook attempt",
    ATTEMPT_ID,
    "webhook_attempts_page",
    "webhook_attempt_place",
    lambda text: attempt_shown(text).model_dump_json().encode(),
)


def add_filters(query: Query, conditions: Conditions) -> None:
    """Turn what the query asks for into conditions. Raises ParameterInvalid."""
    status = query.word("status", STATUSES)
    if status is not None:
        # One of our own words, in the text: the planner then knows the index of what is not there.
        conditions.add(f"status = '{status}'")
    for name in EXACT:
        text = query.text(name)
        if text is not None:
            conditions.add(f"{name} = {{}}", text)
    for comparison, at in query.bounds("created", moment):
        conditions.add(f"created_at {comparison} {{}}", at)


class WebhookDeliveries:
    """`GET /webhook_deliveries`, `GET /webhook_deliveries/{id}` and its attempts."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        consistency: Consistency,
        postgres: Postgres,
    ) -> None:
        self._authenticator = authenticator
        self._postgres = postgres
        self._pages = Pages(settings, consistency, postgres)

    async def listed(self, exchange: Exchange) -> Response:
        """A page of deliveries, newest first."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:read")
        query, conditions = Query(exchange), Conditions(PAGE_PARAMETERS)
        add_filters(query, conditions)
        return await self._pages.answer(api_key, query, DELIVERIES, conditions)

    async def show(self, exchange: Exchange) -> Response:
        """One delivery, on demand with its attempts."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:read")
        query = Query(exchange)
        expanded = query.words("expand", EXPANDED)
        query.check_brackets()
        delivery = await self.find(exchange.path("id"), api_key)
        if expanded:
            delivery.attempts = await self._attempts(delivery)
        return json_answer(as_json(delivery))

    async def attempts(self, exchange: Exchange) -> Response:
        """A page of a delivery's attempts, newest first."""
        api_key = await self._authenticator.key_of(exchange, "webhooks:read")
        query, conditions = Query(exchange), Conditions(PAGE_PARAMETERS)
        delivery = await self.find(exchange.path("id"), api_key)
        conditions.add("delivery_id = {}", delivery.id)
        conditions.add("delivery_created_at = {}", delivery.created_at)
        return await self._pages.answer(api_key, query, ATTEMPTS, conditions)

    async def find(self, delivery_id: str, api_key: ApiKey) -> WebhookDeliveryAnswer:
        """This merchant's delivery. Raises ResourceMissing."""
        row: Any = None
        if DELIVERY_ID.fullmatch(delivery_id):
            whose = (api_key.merchant_id, api_key.mode)
            row = await self._postgres.fetch_row("webhook_delivery", delivery_id, *whose)
        if row is None:
            raise ResourceMissing(f"There is no webhook delivery {quoted(delivery_id)}.")
        return delivery_shown(row["shown"])

    async def _attempts(self, delivery: WebhookDeliveryAnswer) -> list[AttemptAnswer]:
        rows = await self._postgres.fetch(
            "webhook_attempts_of", delivery.id, delivery.created_at, ATTEMPTS_SHOWN_MAX
        )
        return [attempt_shown(row["shown"]) for row in rows]
