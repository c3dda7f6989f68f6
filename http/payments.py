"""`/api/v1/payments`: look up, list."""

from __future__ import annotations

import re

import orjson
from starlette.responses import Response

from headgate.http.auth import Authenticator
from headgate.http.claims import Claims
from headgate.http.decisions import Decisions
from headgate.http.exchange import LIMIT_DEFAULT, Exchange, whole_number
from headgate.http.problems_of_requests import (
    ParameterInvalid,
    ResourceMissing,
)
from headgate.http.problems_of_services import LogAway, NotCaughtUp, StoreAway
from headgate.http.routing import json_answer
from headgate.streams import ids
from headgate.streams.cards import quoted
from headgate.streams.errors import CacheUnavailable, LogUnavailable, StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey
from headgate.tables.payments import Payment
from headgate.tables.postgres import Postgres

SEED_REQUIRED = ("amount", "method", "order_id")
PAYMENT_ID = re.compile(r"pay_[a-z2-7]{15}")


class PaymentReading:
    """`GET /payments/{id}` and `GET /payments`."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        postgres: Postgres,
        claims: Claims,
        decisions: Decisions,
    ) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._postgres = postgres
        self._claims = claims
        self._decisions = decisions

    async def show(self, exchange: Exchange) -> Response:
        """One payment: from PostgreSQL, else from the claim of its create, else it is waited for
        until settle has read what the log holds now (08 R12)."""
        api_key = await self._authenticator.key_of(exchange, "payments:read")
        payment_id = exchange.path("id")
        if not PAYMENT_ID.fullmatch(payment_id):
            raise _missing(payment_id)
        try:
            stored = await self._stored(payment_id, api_key)
        except StoreUnavailable:
            return await self._stale(payment_id, api_key)
        if stored is None:
            stored = await self._claimed(payment_id, api_key)
        if stored is None:
            await self._wait(payment_id)
            stored = await self._stored(payment_id, api_key)
        if stored is None:
            raise _missing(payment_id)
        return json_answer(stored)

    async def _stored(self, payment_id: str, api_key: ApiKey) -> bytes | None:
        row = await self._postgres.fetch_row(
            "payment", payment_id, api_key.merchant_id, api_key.mode
        )
        return _snapshot(row["record"]) if row else None

    async def _claimed(self, payment_id: str, api_key: ApiKey) -> bytes | None:
        """The answer to the create, when Redis has it and it is this merchant's."""
        try:
            answer = await self._claims.answer_of(payment_id)
        except CacheUnavailable:
            return None
        if answer is None:
            return None
        told = orjson.loads(answer)
        owner = (told["merchant_id"], told["livemode"])
        return answer if owner == (api_key.merchant_id, api_key.mode == "live") else None

    async def _stale(self, payment_id: str, api_key: ApiKey) -> Response:
        """PostgreSQL is away: how the payment began is better than nothing, and says so."""
        answer = await self._claimed(payment_id, api_key)
        if answer is None:
            raise StoreAway(
                "The database is away, so the payment cannot be read. Try again.",
                retry_after_s=self._settings.retry_after_s,
            )
        return json_answer(
            answer, headers={"Stale": "true", "Warning": '110 - "Response is Stale"'}
        )

    async def _wait(self, payment_id: str) -> None:
        partition = ids.partition_of(payment_id, self._settings.partitions)
        try:
            reached = await self._decisions.caught_up([partition], self._settings.read_wait_ms)
        except LogUnavailable:
            raise LogAway(
                "The log is away, so it cannot be told whether this payment exists. Try again.",
                retry_after_s=self._settings.retry_after_s,
            ) from None
        if not reached:
            raise NotCaughtUp(
                "The settle worker is behind, so it cannot be told yet whether this payment "
                "exists. Try again.",
                retry_after_s=self._settings.retry_after_s,
            )

    async def listed(self, exchange: Exchange) -> Response:
        """A page of payments, newest first."""
        api_key = await self._authenticator.key_of(exchange, "payments:read")
        query = exchange.query()
        most = self._settings.page_size_max
        limit = whole_number(query, "limit", LIMIT_DEFAULT, least=1, most=most)
        after, before = query.get("starting_after"), query.get("ending_before")
        if after is not None and before is not None:
            raise ParameterInvalid("Send starting_after or ending_before, not both.")
        records = await self._page(api_key, limit + 1, after, before)
        more = len(records) > limit
        records = records[:limit]
        if before is not None:
            records.reverse()
        data = [_snapshot(record) for record in records]
        last = orjson.loads(data[-1 if before is None else 0])["id"] if more else None
        return json_answer(
            b'{"object":"list","data":[%s],"has_more":%s,"next_cursor":%s}'
            % (b",".join(data), orjson.dumps(more), orjson.dumps(last))
        )

    async def _page(
        self, api_key: ApiKey, limit: int, after: str | None, before: str | None
    ) -> list[str]:
        whose = (api_key.merchant_id, api_key.mode)
        cursor = after if after is not None else before
        if cursor is None:
            rows = await self._postgres.fetch("payments_newest", *whose, limit)
        else:
            place = None
            if PAYMENT_ID.fullmatch(cursor):
                place = await self._postgres.fetch_row("edge_payment_place", cursor, *whose)
            if place is None:
                name = "ending_before" if after is None else "starting_after"
                raise ParameterInvalid(
                    f"{name} is {quoted(cursor)}, which is no payment of yours.", param=name
                )
            statement = "payments_after" if after is None else "payments_before"
            at = (place["created_at"], place["id"])
            rows = await self._postgres.fetch(statement, *whose, limit, *at)
        return [row["record"] for row in rows]


def _snapshot(record: str) -> bytes:
    return Payment.model_validate_json(record).snapshot().model_dump_json().encode()


def _missing(payment_id: str) -> ResourceMissing:
    return ResourceMissing(f"There is no payment {quoted(payment_id)}.")
