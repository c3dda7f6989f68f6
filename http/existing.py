"""Whether a payment exists for whoever asks: PostgreSQL, else its create's claim, else it is
waited for (08 R12)."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeAlias

from headgate.http.decisions import Decisions
from headgate.http.finding import PAYMENT_ID, Finder
from headgate.http.problems_of_requests import ResourceMissing
from headgate.http.problems_of_services import StoreAway
from headgate.streams import ids
from headgate.streams.cards import quoted
from headgate.streams.errors import StoreUnavailable
from headgate.streams.settings import Settings
from headgate.tables.configuration import ApiKey
from headgate.tables.payments import Payment

KNOWN_MAX = 20_000
"""Payments whose owner is remembered: it never changes, and most payments that something is asked
of were made a while ago at the same edge, or asked of before."""
Owner: TypeAlias = tuple[str, str]
"""Merchant and mode."""


class Existing:
    """Finds out before a command about a payment is taken."""

    def __init__(self, settings: Settings, finder: Finder, decisions: Decisions) -> None:
        self._partitions = settings.partitions
        self._wait_ms = settings.read_wait_ms
        self._retry_after_s = settings.retry_after_s
        self._finder = finder
        self._known: OrderedDict[str, Owner] = OrderedDict()
        self._decisions = decisions

    async def check(self, payment_id: str, api_key: ApiKey) -> None:
        """Raises ResourceMissing unless the payment is this merchant's and mode's; StoreAway,
        LogAway or NotCaughtUp when that cannot be told."""
        if not PAYMENT_ID.fullmatch(payment_id):
            raise _unknown(payment_id)
        whose = (api_key.merchant_id, api_key.mode)
        if payment_id not in self._known:
            self.know(payment_id, await self._owner(payment_id, api_key))
        if self._known[payment_id] != whose:
            raise _unknown(payment_id)

    def know(self, payment_id: str, owner: Owner) -> None:
        """Remember whose a payment is that is on the log or waits for it."""
        self._known[payment_id] = owner
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)

    async def _owner(self, payment_id: str, api_key: ApiKey) -> Owner:
        """Raises ResourceMissing when there is no such payment, or why that cannot be told."""
        whose = (api_key.merchant_id, api_key.mode)
        try:
            owner = await self._decisions.owner_of(payment_id, self._wait_ms)
        except StoreUnavailable:
            if await self._finder.begun(payment_id, api_key):
                return whose
            raise StoreAway(
                "The database is away, so it cannot be told whether this payment exists. Nothing "
                "happened; try again.",
                retry_after_s=self._retry_after_s,
            ) from None
        if owner is None and await self._finder.begun(payment_id, api_key):
            return whose
        if owner is None:
            await self._settled(payment_id)
            owner = await self._decisions.owner_of(payment_id, self._wait_ms)
        if owner is None:
            raise _unknown(payment_id)
        return owner

    async def payment(self, payment_id: str, api_key: ApiKey) -> Payment:
        """The payment itself, which only PostgreSQL has. Raises as `check` does."""
        await self.check(payment_id, api_key)
        payment = await self._decisions.payment(payment_id, self._wait_ms)
        if payment is None:
            await self._settled(payment_id)
            payment = await self._decisions.payment(payment_id, self._wait_ms)
        if payment is None:
            raise _unknown(payment_id)
        return payment

    async def _settled(self, payment_id: str) -> None:
        partition = ids.partition_of(payment_id, self._partitions)
        await self._finder.until_settled([partition], "this payment")


def _unknown(payment_id: str) -> ResourceMissing:
    return ResourceMissing(f"There is no payment {quoted(payment_id)}.")
