"""A checkout session as it is told to its merchant, and to its customer."""

from __future__ import annotations

from headgate.http.api_keys import told
from headgate.http.checkout_schemas import (
    Action,
    CheckoutAnswer,
    CheckoutPayment,
    CheckoutState,
    DeclinedAnswer,
)
from headgate.streams.declines import DECLINES, decline_of
from headgate.streams.money import MINOR_DIGITS
from headgate.tables.checkout import StoredSession
from headgate.tables.checkout_standing import CheckoutStatus, Standing
from headgate.tables.payment import Payment

NO_REASON = "The payment did not go through. Nothing was charged. Please try again."
"""What a customer is told when no bank gave a reason."""


def to_merchant(
    session: StoredSession, standing: Standing, secret: str | None, base_url: str
) -> CheckoutAnswer:
    """The session for the merchant's server; with its secret only where that may be shown."""
    return CheckoutAnswer(
        id=session.id,
        livemode=session.mode == "live",
        status=standing.status,
        amount=session.amount,
        currency=session.currency,
        order_id=session.order_id,
        methods=list(session.methods),
        success_url=session.success_url,
        cancel_url=session.cancel_url,
        payment_id=standing.payment.id if standing.payment else None,
        attempt=standing.attempt,
        client_secret=secret,
        url=f"{base_url}/checkout/pay/{session.id}#cs={secret}" if secret else None,
        created_at=told(session.created_at),
        expires_at=told(session.expires_at),
    )


def to_customer(session: StoredSession, standing: Standing, merchant: str) -> CheckoutState:
    """The session for the customer's browser: why a bank declined stands there in words for them,
    not in codes for its merchant."""
    payment = standing.payment
    return CheckoutState(
        id=session.id,
        livemode=session.mode == "live",
        merchant=merchant,
        status=standing.status,
        attempt=standing.attempt,
        amount=session.amount,
        currency=session.currency,
        amount_decimal=decimal(session.amount, session.currency),
        order_id=session.order_id,
        methods=list(session.methods),
        payment=_payment(payment) if payment else None,
        action=_action(standing.status, payment),
        declined=_declined(standing.declined) if standing.declined else None,
        success_url=session.success_url if standing.status == "paid" else None,
        cancel_url=session.cancel_url,
        expires_at=told(session.expires_at),
    )


def decimal(amount: int, currency: str) -> str:
    """Minor units as a decimal number: `500.00`. No float comes near it."""
    digits = MINOR_DIGITS.get(currency, 2)
    whole, rest = divmod(amount, 10**digits)
    return f"{whole}.{rest:0{digits}}" if digits else str(whole)


def _payment(payment: Payment) -> CheckoutPayment:
    return CheckoutPayment(id=payment.id, status=payment.status, state=payment.state)


def _action(status: CheckoutStatus, payment: Payment | None) -> Action | None:
    if status != "requires_action" or payment is None:
        return None
    return "upi_app" if payment.method == "upi" else "bank"


def _declined(payment: Payment) -> DeclinedAnswer:
    code = decline_of(payment.decline_code)
    if code is None:
        return DeclinedAnswer(message=NO_REASON, again=True, advice_code=payment.advice_code)
    decline = DECLINES[code]
    return DeclinedAnswer(
        message=decline.tell, again=decline.again, advice_code=payment.advice_code
    )
