"""`/api/v1/payments`, read: one, with its children, as it was; lists with filters."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

import orjson
from starlette.responses import Response

from headgate.http.as_of import AsOf, not_yet
from headgate.http.auth import Authenticator
from headgate.http.consistency import Consistency
from headgate.http.exchange import Exchange
from headgate.http.finding import PAYMENT_ID, Finder, check_payment_id, snapshot_of
from headgate.http.pages import PAGE_PARAMETERS, Listed, Pages
from headgate.http.payment_filters import add_filters
from headgate.http.payment_search import add_search
from headgate.http.problems_of_services import StoreAway
from headgate.http.query import Query
from headgate.http.routing import json_answer
from headgate.streams.commands import ChildKind
from headgate.streams.errors import StoreUnavailable
from headgate.streams.facts import ChildSnapshot
from headgate.streams.settings import Settings
from headgate.tables.conditions import Conditions
from headgate.tables.configuration import ApiKey
from headgate.tables.postgres import Postgres

PLURALS: dict[str, ChildKind] = {f"{kind}s": kind for kind in get_args(ChildKind)}
"""The children of a payment as `expand[]` and paths name them."""
PAYMENTS = Listed("payment", PAYMENT_ID, "payments_page", "payment_place", snapshot_of)


class PaymentReading:
    """`GET /payments/{id}`, `GET /payments` and `GET /payments/search`."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        consistency: Consistency,
        finder: Finder,
        postgres: Postgres,
    ) -> None:
        self._retry_after_s = settings.retry_after_s
        self._authenticator = authenticator
        self._consistency = consistency
        self._finder = finder
        self._postgres = postgres
        self._as_of = AsOf(settings, consistency, postgres)
        self._pages = Pages(settings, consistency, postgres)

    async def show(self, exchange: Exchange) -> Response:
        """One payment: as it is, with its children, or as it was."""
        api_key = await self._authenticator.key_of(exchange, "payments:read")
        payment_id, query = exchange.path("id"), Query(exchange)
        check_payment_id(payment_id)
        kinds = [PLURALS[word] for word in query.words("expand", PLURALS)]
        until = await self._as_of.until(query, payment_id)
        query.check_brackets()
        if until is not None:
            return await self._then(payment_id, api_key, until, kinds)
        try:
            found = await self._finder.payment(payment_id, api_key)
        except StoreUnavailable:
            return await self._stale(payment_id, api_key)
        return json_answer(_with(found, await self._children(payment_id, kinds)))

    async def _children(
        self, payment_id: str, kinds: list[ChildKind]
    ) -> dict[ChildKind, list[bytes]]:
        if not kinds:
            return {}
        rows = await self._postgres.fetch("children_of", payment_id, kinds)
        found = [ChildSnapshot.model_validate_json(row["shown"]) for row in rows]
        return {
            kind: [child.model_dump_json().encode() for child in found if child.object == kind]
            for kind in kinds
        }

    async def _then(
        self, payment_id: str, api_key: ApiKey, until: datetime | int, kinds: list[ChildKind]
    ) -> Response:
        fact = await self._as_of.fact(payment_id, api_key, until)
        if fact is None:
            await self._finder.payment(payment_id, api_key)
            raise not_yet(payment_id)
        sequence, snapshot = fact
        children = await self._as_of.children(payment_id, sequence, kinds) if kinds else {}
        return json_answer(_with(snapshot, children))

    async def _stale(self, payment_id: str, api_key: ApiKey) -> Response:
        """PostgreSQL is away: how the payment began is better than nothing, and says so."""
        answer = await self._finder.begun(payment_id, api_key)
        if answer is None:
            raise StoreAway(
                "The database is away, so the payment cannot be read. Try again.",
                retry_after_s=self._retry_after_s,
            )
        return json_answer(
            answer, headers={"Stale": "true", "Warning": '110 - "Response is Stale"'}
        )

    async def listed(self, exchange: Exchange) -> Response:
        """A page of payments, newest first."""
        api_key = await self._authenticator.key_of(exchange, "payments:read")
        query, conditions = Query(exchange), Conditions(PAGE_PARAMETERS)
        add_filters(query, conditions)
        return await self._pages.answer(api_key, query, PAYMENTS, conditions)

    async def search(self, exchange: Exchange) -> Response:
        """A page of what a search finds, newest first."""
        api_key = await self._authenticator.key_of(exchange, "payments:read")
        query, conditions = Query(exchange), Conditions(PAGE_PARAMETERS)
        add_search(query, conditions)
        return await self._pages.answer(api_key, query, PAYMENTS, conditions)


def _with(snapshot: bytes, children: dict[ChildKind, list[bytes]]) -> bytes:
    """The payment with its children as further members."""
    for kind, found in children.items():
        name = orjson.dumps(f"{kind}s")
        snapshot = b"%s,%s:[%s]}" % (snapshot[:-1], name, b",".join(found))
    return snapshot
