"""Captures, voids, refunds, reversals and increments, read."""

from __future__ import annotations

import re
from typing import get_args

from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.consistency import Consistency
from headgate.http.exchange import Exchange
from headgate.http.finding import Finder
from headgate.http.pages import PAGE_PARAMETERS, Listed, Pages
from headgate.http.payment_filters import add_bounds
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.query import Query
from headgate.http.routing import Handler, json_answer
from headgate.streams.cards import quoted
from headgate.streams.commands import ChildKind
from headgate.streams.facts import ChildSnapshot
from headgate.streams.ids import CHILD_IDS
from headgate.streams.settings import Settings
from headgate.tables.conditions import Conditions
from headgate.tables.configuration import ApiKey
from headgate.tables.postgres import Postgres

REFUND_STATES = {
    "pending": ("requested", "submitted", "in_doubt", "needs_review"),
    "processed": ("succeeded",),
    "failed": ("failed",),
    "canceled": ("canceled",),
}
"""The states behind each of a refund's coarse words."""


def shown(snapshot: str) -> bytes:
    """A child's row as merchants see it; PostgreSQL's jsonb keeps no order."""
    return ChildSnapshot.model_validate_json(snapshot).model_dump_json().encode()


def pattern_of(kind: ChildKind) -> re.Pattern[str]:
    """How the ids of this kind look."""
    prefix, length = CHILD_IDS[kind]
    return re.compile(f"{prefix}[a-z2-7]{{{length}}}")


LISTED: dict[ChildKind, Listed] = {
    kind: Listed(kind, pattern_of(kind), "children_page", "child_place", shown)
    for kind in get_args(ChildKind)
}


class ChildrenReading:
    """The routes of every kind of child; each handler is made for one kind."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        consistency: Consistency,
        finder: Finder,
        postgres: Postgres,
    ) -> None:
        self._partitions = settings.partitions
        self._authenticator = authenticator
        self._consistency = consistency
        self._finder = finder
        self._postgres = postgres
        self._pages = Pages(settings, consistency, postgres)

    def of_payment(self, kind: ChildKind) -> Handler:
        """`GET /payments/{id}/captures` and its like, newest first."""

        async def listed(exchange: Exchange) -> Response:
            api_key = await self._authenticator.key_of(exchange, "payments:read")
            payment_id, query = exchange.path("id"), Query(exchange)
            await self._finder.payment(payment_id, api_key)
            conditions = Conditions(PAGE_PARAMETERS)
            conditions.add(f"kind = '{kind}'")
            conditions.add("payment_id = {}", payment_id)
            return await self._pages.answer(api_key, query, LISTED[kind], conditions)

        return listed

    def one(self, kind: ChildKind) -> Handler:
        """`GET /captures/{id}` and its like."""

        async def show(exchange: Exchange) -> Response:
            api_key = await self._authenticator.key_of(exchange, "payments:read")
            return json_answer(await self._child(kind, exchange.path("id"), api_key))

        return show

    async def refunds(self, exchange: Exchange) -> Response:
        """`GET /refunds`, newest first."""
        api_key = await self._authenticator.key_of(exchange, "payments:read")
        query, conditions = Query(exchange), Conditions(PAGE_PARAMETERS)
        conditions.add("kind = 'refund'")
        status = query.word("status", REFUND_STATES)
        if status is not None:
            conditions.add("state = any({})", list(REFUND_STATES[status]))
        payment_id = query.text("payment_id")
        if payment_id is not None:
            conditions.add("payment_id = {}", payment_id)
        add_bounds(query, conditions)
        return await self._pages.answer(api_key, query, LISTED["refund"], conditions)

    async def _child(self, kind: ChildKind, child_id: str, api_key: ApiKey) -> bytes:
        """A child that settle has stored; its id does not tell on which partition that would be."""
        missing = ResourceMissing(f"There is no {kind} {quoted(child_id)}.")
        if not LISTED[kind].pattern.fullmatch(child_id):
            raise missing
        whose = (child_id, api_key.merchant_id, api_key.mode)
        row = await self._postgres.fetch_row("child", *whose)
        if row is None:
            await self._finder.until_settled(range(self._partitions), f"this {kind}")
            row = await self._postgres.fetch_row("child", *whose)
        if row is None:
            raise missing
        return shown(row["shown"])
