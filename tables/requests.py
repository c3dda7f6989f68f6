"""The calls to a bank and the reminders that decisions send out."""

from __future__ import annotations

from headgate.streams import ids
from headgate.streams.commands import AcquirerRequest, BankCall, TimerKind
from headgate.streams.commands import Timer as TimerCommand
from headgate.streams.frozen import but
from headgate.tables.children import Child
from headgate.tables.payment import Payment

INQUIRY_DELAYS_MS = (
    1000, 3000, 10_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000, 86_400_000,
)  # fmt: skip
"""How long after an answer that is in doubt the bank is asked again (02 §8.2)."""

DAY_MS = 86_400_000
HOLD_WINDOW_MS = 7 * DAY_MS
"""How long a bank holds what it approved; then it is let go (02 §8.1, row 24)."""
ACTION_WINDOW_MS = 15 * 60_000
"""How long a customer has to answer the bank, unless the merchant set another time."""


def authorize(payment: Payment) -> AcquirerRequest:
    """Ask the bank for the money."""
    call = _call(payment, "authorize", payment.attempt_id, payment.amount)
    return but(call, authenticated=payment.authenticated)


def inquire(payment: Payment, look: int) -> AcquirerRequest:
    """Ask the bank what became of the payment's attempt."""
    call = _call(payment, "inquire", payment.attempt_id, payment.amount)
    return but(call, look=look, authenticated=payment.authenticated)


def child_call(payment: Payment, child: Child) -> AcquirerRequest:
    """Ask the bank to do what the child is for."""
    return but(
        _call(payment, child.kind, child.attempt_id, child.amount),
        about=child.kind,
        final=child.final,
        ordinal=_ordinal(payment, child),
        payment_attempt_id=payment.attempt_id,
        reference=payment.acquirer_reference,
    )


def _ordinal(payment: Payment, child: Child) -> int:
    """Which one of its kind it is, counted from 1; a child in the making is the next one."""
    same = [other.id for other in payment.children if other.kind == child.kind]
    return same.index(child.id) + 1 if child.id in same else len(same) + 1


def child_inquiry(payment: Payment, child: Child, look: int) -> AcquirerRequest:
    """Ask the bank what became of the child's call."""
    return but(child_call(payment, child), type="inquire", look=look)


def timer(
    payment: Payment, kind: TimerKind, cause: str, child_id: str | None = None
) -> TimerCommand:
    """A reminder; the command that set it makes its id, so it is the same one after a repeat."""
    return TimerCommand(
        command_id=ids.command_id(payment.id, f"timer.{kind}", cause),
        payment_id=payment.id,
        merchant_id=payment.merchant_id,
        mode=payment.mode,
        timer=kind,
        child_id=child_id,
    )


def _call(payment: Payment, kind: BankCall, attempt_id: str, amount: int) -> AcquirerRequest:
    return AcquirerRequest(
        type=kind,
        payment_id=payment.id,
        merchant_id=payment.merchant_id,
        mode=payment.mode,
        attempt_id=attempt_id,
        amount=amount,
        currency=payment.currency,
        method=payment.method,
        vpa=payment.vpa,
        card=payment.card,
        scenario=payment.scenario,
    )
