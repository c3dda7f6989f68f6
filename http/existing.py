"""Whether a payment exists for whoever asks: PostgreSQL, else its create's claim, else it is
waited for (08 R12)."""

from __future__ import annotations

import re

import orjson

from headgate.http.claims import Claims
from headgate.http.decisions import Decisions
from headgate.http.problems import Problem
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.problems_of_services import LogAway, NotCaughtUp, StoreAway
from headgate.streams import ids
from headgate.streams.cards import quoted
from headgate.streams.errors import CacheUnavailable, LogUnavailable, StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey
from headgate.tables.payments import Payment

PAYMENT_ID = re.compile(r"pay_[a-z2-7]{15}")
SEED_UNKNOWN = "Payment not found"
"""The seed's own answer (08 R19)."""


class Existing:
    """Finds out before a command about a payment is taken."""

    def __init__(self, settings: Settings, claims: Claims, decisions: Decisions) -> None:
        self._partitions = settings.partitions
        self._wait_ms = settings.read_wait_ms
        self._retry_after_s = settings.retry_after_s
        self._claims = claims
        self._decisions = decisions

    async def check(self, payment_id: str, api_key: ApiKey) -> None:
        """Raises ResourceMissing unless the payment is this merchant's and mode's; StoreAway,
        LogAway or NotCaughtUp when that cannot be told."""
        if not PAYMENT_ID.fullmatch(payment_id):
            raise unknown(payment_id)
        whose = (api_key.merchant_id, api_key.mode)
        try:
            owner = await self._decisions.owner_of(payment_id, self._wait_ms)
        except StoreUnavailable:
            if await self._claimed(payment_id) == whose:
                return
            raise self._away() from None
        if owner is None:
            owner = await self._claimed(payment_id)
        if owner is None:
            await self._caught_up(payment_id)
            owner = await self._decisions.owner_of(payment_id, self._wait_ms)
        if owner != whose:
            raise unknown(payment_id)

    async def payment(self, payment_id: str, api_key: ApiKey) -> Payment:
        """The payment itself, which only PostgreSQL has. Raises as `check` does."""
        await self.check(payment_id, api_key)
        payment = await self._decisions.payment(payment_id, self._wait_ms)
        if payment is None:
            await self._caught_up(payment_id)
            payment = await self._decisions.payment(payment_id, self._wait_ms)
        if payment is None:
            raise unknown(payment_id)
        return payment

    async def _claimed(self, payment_id: str) -> tuple[str, str] | None:
        """Whose the payment is by the answer to its create, which Redis keeps."""
        try:
            answer = await self._claims.answer_of(payment_id)
        except CacheUnavailable:
            return None
        if answer is None:
            return None
        told = orjson.loads(answer)
        return told["merchant_id"], "live" if told["livemode"] else "test"

    async def _caught_up(self, payment_id: str) -> None:
        """Wait until settle has read what the log holds now."""
        partition = ids.partition_of(payment_id, self._partitions)
        try:
            reached = await self._decisions.caught_up([partition], self._wait_ms)
        except LogUnavailable:
            raise LogAway(
                "The log is away, so it cannot be told whether this payment exists. Nothing "
                "happened; try again.",
                retry_after_s=self._retry_after_s,
            ) from None
        if not reached:
            raise NotCaughtUp(
                "The settle worker is behind, so it cannot be told yet whether this payment "
                "exists. Nothing happened; try again.",
                retry_after_s=self._retry_after_s,
            )

    def _away(self) -> Problem:
        return StoreAway(
            "The database is away, so it cannot be told whether this payment exists. Nothing "
            "happened; try again.",
            retry_after_s=self._retry_after_s,
        )


def unknown(payment_id: str) -> ResourceMissing:
    """There is no such payment, in the seed's words besides ours."""
    return ResourceMissing(f"There is no payment {quoted(payment_id)}.", seed_error=SEED_UNKNOWN)
