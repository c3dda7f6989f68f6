"""Why what the table has no row for is refused: a stable code and a sentence (01 §7.5)."""

from __future__ import annotations

from typing import NamedTuple

from headgate.streams.facts import State
from headgate.tables.payment import Payment
from headgate.tables.story import Refusal, What
from headgate.tables.transitions import Trigger


class Reason(NamedTuple):
    """A code and its sentence; `{state}` stands for the payment's state."""

    code: str
    detail: str


_NO_ATTEMPT = Reason("attempt_answered", "The attempt has its answer; the payment is {state}.")
_MOOT = Reason("timer_moot", "The payment is {state}; there is nothing left to do.")
_CHILD = Reason("child_moot", "The payment is {state}; this changes nothing about it.")

REASONS: dict[Trigger, Reason] = {
    "create": Reason("payment_exists", "The payment exists."),
    "dispatched": _NO_ATTEMPT,
    "risk_refused": _NO_ATTEMPT,
    "cancel": Reason("payment_not_cancelable", "The payment is {state} and cannot be canceled."),
    "reverse": Reason("payment_not_cancelable", "The payment is {state}: nothing to reverse."),
    "capture": Reason("payment_not_capturable", "Payment not in capturable state: it is {state}."),
    "refund": Reason("payment_not_refundable", "The payment is {state} and cannot be refunded."),
    "increment": Reason(
        "payment_not_incrementable", "The payment is {state}: no more can be held."
    ),
    "authenticated": Reason(
        "payment_not_awaiting_action", "The payment is {state}: the bank asks the customer nothing."
    ),
    "not_authenticated": Reason(
        "payment_not_awaiting_action", "The payment is {state}: the bank asks the customer nothing."
    ),
    "inquire": Reason(
        "not_in_doubt", "The payment is {state}, not in doubt: there is nothing to ask the bank."
    ),
    "challenged": _NO_ATTEMPT,
    "approved": _NO_ATTEMPT,
    "partly_approved": _NO_ATTEMPT,
    "declined": _NO_ATTEMPT,
    "unknown": _NO_ATTEMPT,
    "no_news": _NO_ATTEMPT,
    "window_ended": _NO_ATTEMPT,
    "hold_ended": _MOOT,
    "capture_due": _MOOT,
    "action_ended": _MOOT,
    "capture_succeeded": _CHILD,
    "capture_failed": _CHILD,
    "void_succeeded": _CHILD,
    "void_failed": _CHILD,
    "reversal_succeeded": _CHILD,
    "reversal_failed": _CHILD,
    "increment_succeeded": _CHILD,
}
"""The reason by trigger, whatever the state."""

SPECIAL: dict[tuple[State, Trigger], Reason] = {
    ("expired", "capture"): Reason("authorization_expired", "The authorisation has expired."),
    ("captured", "capture"): Reason(
        "payment_already_captured",
        "The payment is captured already, in another amount or refunded.",
    ),
}
"""Where a state has a better word for it."""


def refusal_of(payment: Payment, trigger: Trigger, _what: What) -> Refusal:
    """Why this cannot be in the payment's state."""
    reason = SPECIAL.get((payment.state, trigger), REASONS[trigger])
    return Refusal(reason.code, reason.detail.format(state=payment.state))
