"""What has become of a checkout session. Pure: it follows from the session and its payments, and is
stored nowhere, so that no second tab and no lost write can disagree with it (08 R25)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from headgate.tables.checkout import StoredSession
from headgate.tables.payment import Payment

CheckoutStatus = Literal[
    "open", "processing", "requires_action", "paid", "canceled", "failed", "expired"
]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a session is. `attempt` is the number of the payment that counts now: one more than
    have failed for good."""

    status: CheckoutStatus
    attempt: int
    payment: Payment | None = None
    """The payment of this attempt, as soon as it is stored."""
    declined: Payment | None = None
    """The payment before it, which failed for good."""


def standing_of(
    session: StoredSession, payments: Mapping[str, Payment], attempts_max: int
) -> Standing:
    """Where the session is, by those of its payments that are stored. An attempt follows only on
    one that has failed for good; nothing else makes the number grow."""
    declined = None
    for attempt in range(1, attempts_max + 1):
        payment = payments.get(session.payment_id(attempt))
        if payment is None or payment.status != "failed":
            return Standing(_status(session, payment), attempt, payment, declined)
        declined = payment
    return Standing("failed", attempts_max + 1, None, declined)


def _status(session: StoredSession, payment: Payment | None) -> CheckoutStatus:
    if payment is None:
        return "expired" if session.expired else "open"
    return status_of(payment)


def status_of(payment: Payment) -> CheckoutStatus:
    """A payment's state as its customer is told it."""
    if payment.status == "pending":
        return "requires_action" if payment.state == "requires_action" else "processing"
    words: dict[str, CheckoutStatus] = {"success": "paid", "canceled": "canceled"}
    return words.get(payment.status, "failed")
