"""`POST /payments/{id}/refunds` and `POST /refunds/{id}/cancel`."""

from __future__ import annotations

import re

from starlette.responses import Response

from headgate.http.acceptance import Acceptance
from headgate.http.askers import Asker, echoing
from headgate.http.commanding import Wanted
from headgate.http.exchange import Exchange
from headgate.http.payment_commands import PAYMENT
from headgate.http.problems_of_requests import (
    ParameterInvalid,
    ParameterMissing,
    ResourceMissing,
)
from headgate.http.schemas_of_commands import RefundCancelRequest, RefundRequest
from headgate.http.seed_words import MISSING_FIELDS
from headgate.http.submission import said
from headgate.http.validation import body_as
from headgate.streams.cards import quoted
from headgate.streams.clock import now_ms
from headgate.streams.commands import CancelRefund, RefundPayment
from headgate.tables.postgres import Postgres

REFUND_ID = re.compile(r"rfnd_[a-z2-7]{16}")
SUBMIT_WITHIN_MS = 365 * 86_400_000
"""How far ahead a refund may be planned."""
KEYLESS = {
    "Warning": '299 headgate "without an Idempotency-Key a repeat of this request is a second '
    'refund"'
}


class Refunding:
    """Money that goes back."""

    def __init__(self, acceptance: Acceptance, postgres: Postgres) -> None:
        self._acceptance = acceptance
        self._postgres = postgres

    async def refund(self, exchange: Exchange) -> Response:
        """Give captured money back. Without a key it is taken with a warning (08 R19)."""
        asker = await self._acceptance.askers.of(exchange, "refunds:write")
        asked = body_as(RefundRequest, exchange, asker.api_key)
        _check(asked)
        payment_id = exchange.path("id")
        wanted = Wanted(
            model=RefundPayment,
            payment_id=payment_id,
            route=f"{PAYMENT}/refunds",
            parts={"id": payment_id},
            said=said(asked),
            members={
                "amount": asked.amount,
                "reason": asked.reason,
                "submit_at_ms": asked.submit_at,
            },
        )
        headers = None if asker.key.given else KEYLESS
        return await self._acceptance.take(exchange, asker, wanted, headers)

    async def cancel(self, exchange: Exchange) -> Response:
        """Take back a refund whose time has not come."""
        asker = await self._acceptance.askers.of(exchange, "refunds:write")
        asked = body_as(RefundCancelRequest, exchange, asker.api_key, may_be_empty=True)
        refund_id = exchange.path("id")
        with echoing(asker.key):
            payment_id = await self._payment_of(refund_id, asker)
        wanted = Wanted(
            model=CancelRefund,
            payment_id=payment_id,
            route="POST /api/v1/refunds/{id}/cancel",
            parts={"id": refund_id},
            said=said(asked),
            members={"refund_id": refund_id},
        )
        return await self._acceptance.take(exchange, asker, wanted)

    async def _payment_of(self, refund_id: str, asker: Asker) -> str:
        """Raises ResourceMissing, StoreUnavailable."""
        api_key, row = asker.api_key, None
        if REFUND_ID.fullmatch(refund_id):
            row = await self._postgres.fetch_row(
                "edge_refund_place", refund_id, api_key.merchant_id, api_key.mode
            )
        if row is None:
            raise ResourceMissing(f"There is no refund {quoted(refund_id)}.")
        return str(row["payment_id"])


def _check(asked: RefundRequest) -> None:
    """What the members' own types do not say."""
    if asked.amount is None and asked.full is None:
        raise ParameterMissing(
            "amount is missing; send it, or full: true for everything that is left.",
            param="amount",
            seed_error=MISSING_FIELDS,
        )
    if asked.amount is not None and asked.full is not None:
        raise ParameterInvalid("Send amount or full, not both.", param="full")
    if asked.submit_at is not None and asked.submit_at > now_ms() + SUBMIT_WITHIN_MS:
        raise ParameterInvalid("submit_at must lie within a year.", param="submit_at")
