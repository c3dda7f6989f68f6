"""Commands and payments for tests, valid unless a test says otherwise."""

from __future__ import annotations

from typing import Any, TypeVar

from headgate.streams import ids
from headgate.streams.commands import (
    AcquirerAnswer,
    ClientCommand,
    CreatePayment,
    Outcome,
    Timer,
    TimerKind,
)
from headgate.tables.children import Child
from headgate.tables.payment import Payment
from headgate.tables.payments import decide

Asked = TypeVar("Asked", bound=ClientCommand)

AT_MS = 1_795_450_029_123
"""2026-11-23T16:07:09.123Z."""
MERCHANT = "mer_1"


def create(key: str = "key-1", **change: Any) -> CreatePayment:
    """A merchant's command to create the payment of `key`."""
    mode = change.get("mode", "test")
    payment_id = ids.payment_id(MERCHANT, mode, key)
    fields = {
        "command_id": ids.command_id(payment_id, "payment.create", key),
        "payment_id": payment_id,
        "merchant_id": MERCHANT,
        "mode": mode,
        "fingerprint": "f" * 64,
        "idempotency_key": key,
        "request_id": "req_1",
        "amount": 50_000,
        "currency": "INR",
        "method": "upi",
        "order_id": "order_1",
        "vpa": "success@upi",
    }
    return CreatePayment(**(fields | change))


def answer_to(
    request_of: CreatePayment, outcome: Outcome, look: int = 0, **change: Any
) -> AcquirerAnswer:
    """The bank's answer about the payment that `request_of` created."""
    attempt = ids.attempt_id(request_of.command_id, 1)
    operation = change.get("operation", "inquire" if look else "authorize")
    key = f"{attempt}:{look}"
    fields = {
        "command_id": ids.command_id(request_of.payment_id, operation, key),
        "payment_id": request_of.payment_id,
        "merchant_id": request_of.merchant_id,
        "mode": request_of.mode,
        "attempt_id": attempt,
        "operation": operation,
        "look": look,
        "outcome": outcome,
        "amount": request_of.amount,
        "reference": "bank_1" if outcome in ("approved", "declined") else None,
    }
    return AcquirerAnswer(**(fields | change))


def an_answer(outcome: Outcome, look: int = 0, **change: Any) -> AcquirerAnswer:
    """The bank's answer about the payment that `create()` asks for."""
    return answer_to(create(), outcome, look, **change)


def processing(**change: Any) -> Payment:
    """A payment whose bank has not answered yet."""
    payment = decide(None, create(**change), AT_MS).payment
    assert payment is not None
    return payment


def asks(
    kind: type[Asked], of: CreatePayment | Payment, key: str = "key-a", **change: Any
) -> Asked:
    """A merchant's command about a payment."""
    payment_id = of.payment_id if isinstance(of, CreatePayment) else of.id
    name = str(kind.model_fields["type"].default)
    fields = {
        "command_id": ids.command_id(payment_id, name, key),
        "payment_id": payment_id,
        "merchant_id": of.merchant_id,
        "mode": of.mode,
        "fingerprint": "f" * 64,
        "idempotency_key": key,
        "key_id": ids.key_id(of.merchant_id, of.mode, key),
        "request_id": f"req_{key}",
    }
    return kind(**(fields | change))


def child_answer(
    payment: Payment, child: Child, outcome: Outcome, look: int = 0, **change: Any
) -> AcquirerAnswer:
    """The bank's answer about a capture, void, refund, reversal or increment."""
    callback = change.get("callback", 0)
    operation = "inquire" if look else child.kind
    key = f"{child.attempt_id}:{look}:{callback}"
    fields = {
        "command_id": ids.command_id(payment.id, operation, key),
        "payment_id": payment.id,
        "merchant_id": payment.merchant_id,
        "mode": payment.mode,
        "attempt_id": child.attempt_id,
        "operation": operation,
        "look": look,
        "outcome": outcome,
        "amount": child.amount,
        "reference": "bank_2" if outcome in ("approved", "declined") else None,
    }
    return AcquirerAnswer(**(fields | change))


def timer(payment: Payment, kind: TimerKind, child_id: str | None = None) -> Timer:
    """A reminder that settle set itself."""
    return Timer(
        command_id=ids.command_id(payment.id, f"timer.{kind}", child_id or ""),
        payment_id=payment.id,
        merchant_id=payment.merchant_id,
        mode=payment.mode,
        timer=kind,
        child_id=child_id,
    )
