"""A payment by its id, from wherever it is known; nobody is told 404 too early (08 R12)."""

from __future__ import annotations

import re
from collections.abc import Iterable

import orjson

from headgate.http.claims import Claims
from headgate.http.decisions import Decisions
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.problems_of_services import LogAway, NotCaughtUp
from headgate.streams import ids
from headgate.streams.cards import quoted
from headgate.streams.errors import CacheUnavailable, LogUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey
from headgate.tables.payment import Payment
from headgate.tables.postgres import Postgres

PAYMENT_ID = re.compile(r"pay_[a-z2-7]{15}")


class Finder:
    """Looks into PostgreSQL, then into the claim of the payment's create, then waits for settle."""

    def __init__(
        self, settings: Settings, postgres: Postgres, claims: Claims, decisions: Decisions
    ) -> None:
        self._settings = settings
        self._postgres = postgres
        self._claims = claims
        self._decisions = decisions

    async def payment(self, payment_id: str, api_key: ApiKey) -> bytes:
        """The snapshot of this merchant's payment as JSON.

        Raises ResourceMissing when the whole log knows of none, NotCaughtUp or LogAway when that
        cannot be told, StoreUnavailable.
        """
        check_payment_id(payment_id)
        found = await self._stored(payment_id, api_key)
        if found is None:
            found = await self.begun(payment_id, api_key)
        if found is None:
            partition = ids.partition_of(payment_id, self._settings.partitions)
            await self.until_settled([partition], "this payment")
            found = await self._stored(payment_id, api_key)
        if found is None:
            raise missing(payment_id)
        return found

    async def begun(self, payment_id: str, api_key: ApiKey) -> bytes | None:
        """The answer to the payment's create, when Redis has it and it is this merchant's."""
        try:
            answer = await self._claims.answer_of(payment_id)
        except CacheUnavailable:
            return None
        if answer is None:
            return None
        told = orjson.loads(answer)
        owner = (told["merchant_id"], told["livemode"])
        return answer if owner == (api_key.merchant_id, api_key.mode == "live") else None

    async def until_settled(self, partitions: Iterable[int], what: str) -> None:
        """Wait until settle has read all that these partitions hold now."""
        retry_after_s = self._settings.retry_after_s
        try:
            reached = await self._decisions.caught_up(partitions, self._settings.read_wait_ms)
        except LogUnavailable:
            raise LogAway(
                f"The log is away, so it cannot be told whether {what} exists. Try again.",
                retry_after_s=retry_after_s,
            ) from None
        if not reached:
            raise NotCaughtUp(
                f"The settle worker is behind, so it cannot be told yet whether {what} exists. "
                "Try again.",
                retry_after_s=retry_after_s,
            )

    async def _stored(self, payment_id: str, api_key: ApiKey) -> bytes | None:
        row = await self._postgres.fetch_row(
            "payment", payment_id, api_key.merchant_id, api_key.mode
        )
        return snapshot_of(row["record"]) if row else None


def check_payment_id(payment_id: str) -> None:
    """Raises ResourceMissing for what cannot be one."""
    if not PAYMENT_ID.fullmatch(payment_id):
        raise missing(payment_id)


def snapshot_of(record: str) -> bytes:
    """A payment's row as merchants see it."""
    return Payment.model_validate_json(record).snapshot().model_dump_json().encode()


def missing(payment_id: str) -> ResourceMissing:
    """No such payment, or another merchant's."""
    return ResourceMissing(f"There is no payment {quoted(payment_id)}.")
