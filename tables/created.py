"""The answer to a create: the same bytes from the command, before the log has it, and from the
payment, however much later. What Redis forgot can so be answered from PostgreSQL (08 R13)."""

from __future__ import annotations

import orjson

from headgate.streams.clock import iso
from headgate.streams.commands import CreatePayment
from headgate.tables.payment import Payment


def created_answer(command: CreatePayment, at_ms: int) -> bytes:
    """The body of the 201 for a command whose log record carries the time `at_ms`."""
    return _answer(command, command.payment_id, at_ms)


def created_answer_of(payment: Payment) -> bytes:
    """The body of the 201 with which the create of this payment was answered."""
    return _answer(payment, payment.id, payment.created_at_ms)


def _answer(asked: CreatePayment | Payment, payment_id: str, at_ms: int) -> bytes:
    """A payment's snapshot at the moment of its creation; the seed's members are among it.

    Metadata is sorted because PostgreSQL's jsonb keeps no order.
    """
    at = iso(at_ms)
    card = asked.card
    return orjson.dumps(
        {
            "id": payment_id,
            "object": "payment",
            "merchant_id": asked.merchant_id,
            "order_id": asked.order_id,
            "amount": asked.amount,
            "currency": asked.currency,
            "method": asked.method,
            "vpa": asked.vpa,
            "card": card.model_dump() if card else None,
            "status": "pending",
            "state": "created",
            "captured": False,
            "capture_method": asked.capture_method,
            **_NOTHING_MOVED,
            "error_code": None,
            "error_description": None,
            "decline_code": None,
            "advice_code": None,
            **_wishes(asked),
            "description": asked.description,
            "metadata": dict(sorted(asked.metadata.items())),
            "livemode": asked.mode == "live",
            "created_at": at,
            "updated_at": at,
        }
    )


def _wishes(asked: CreatePayment | Payment) -> dict[str, str | bool | None]:
    """What the merchant asked for besides the money."""
    return {
        "cancel_requested": False,
        "capture_at": iso(asked.capture_at_ms) if asked.capture_at_ms else None,
        "expires_at": None,
        "customer_id": asked.customer_id,
        "statement_descriptor": asked.statement_descriptor,
        "return_url": asked.return_url,
        "late_authorization": asked.late_authorization,
    }


_NOTHING_MOVED = {
    "amount_authorized": 0,
    "amount_capturable": 0,
    "amount_captured": 0,
    "amount_capture_pending": 0,
    "amount_voided": 0,
    "amount_void_pending": 0,
    "amount_refunded": 0,
    "amount_refund_pending": 0,
}
