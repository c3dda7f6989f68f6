"""The conditions of the table of transitions, each a question about a payment."""

from __future__ import annotations

from collections.abc import Callable

from headgate.streams.commands import CapturePayment, Command, RefundPayment
from headgate.tables.children import Child
from headgate.tables.payment import Payment
from headgate.tables.transitions import Guard

Question = Callable[[Payment, Command | Child, int], bool]
"""Asked of the payment as it is now, with what happened (a command, or the child that ended) and
the time on the log."""


def _automatic(payment: Payment, _what: Command | Child, _at_ms: int) -> bool:
    return payment.capture_method == "automatic"


def _accept_late(payment: Payment) -> bool:
    return payment.late_authorization == "accept"


def _at_the_bank(payment: Payment) -> bool:
    """Whether the bank still owes a word about held money."""
    return payment.pending("capture") + payment.pending("void") > 0


def _nothing_left(payment: Payment, _what: Command | Child, _at_ms: int) -> bool:
    """Nothing is under way, and nothing is held or the last capture is done."""
    return not _at_the_bank(payment) and (payment.held == 0 or payment.last_capture_asked)


def _void_by_expiry(payment: Payment, what: Command | Child, at_ms: int) -> bool:
    by_expiry = isinstance(what, Child) and what.cause == "hold_expiry"
    return by_expiry and _nothing_left(payment, what, at_ms)


def _hold_over(payment: Payment, _what: Command | Child, _at_ms: int) -> bool:
    """The hold's time is over and nobody captures any more: the rest must be let go."""
    return payment.hold_expired and payment.pending("capture") == 0 and payment.held > 0


def _nothing_to_release(payment: Payment, _what: Command | Child, _at_ms: int) -> bool:
    return payment.pending("capture") > 0 or payment.held == 0


def _same_amount(payment: Payment, what: Command | Child, _at_ms: int) -> bool:
    """A capture that asks for what is captured already, before any of it was given back."""
    asked = what.amount if isinstance(what, CapturePayment) else None
    same = asked is None or asked == payment.amount_captured
    return same and payment.refundable == payment.amount_captured


def _deferred(_payment: Payment, what: Command | Child, at_ms: int) -> bool:
    later = what.submit_at_ms if isinstance(what, RefundPayment) else None
    return later is not None and later > at_ms


GUARDS: dict[Guard, Question] = {
    "automatic": _automatic,
    "manual": lambda payment, what, at_ms: not _automatic(payment, what, at_ms),
    "cancel_requested": lambda payment, _what, _at_ms: payment.cancel_requested,
    "accept_late_manual": lambda payment, what, at_ms: (
        _accept_late(payment) and not _automatic(payment, what, at_ms)
    ),
    "accept_late_automatic": lambda payment, what, at_ms: (
        _accept_late(payment) and _automatic(payment, what, at_ms)
    ),
    "stands_manual": lambda payment, what, at_ms: (
        payment.cancel_requested and not _automatic(payment, what, at_ms)
    ),
    "stands_automatic": lambda payment, what, at_ms: (
        payment.cancel_requested and _automatic(payment, what, at_ms)
    ),
    "nothing_to_release": _nothing_to_release,
    "hold_over": _hold_over,
    "nothing_left": _nothing_left,
    "void_by_expiry": _void_by_expiry,
    "same_amount": _same_amount,
    "capturable": lambda payment, _what, _at_ms: payment.capturable > 0,
    "held_and_refundable": lambda payment, _what, _at_ms: (
        payment.capturable > 0 and payment.refundable > 0
    ),
    "refundable": lambda payment, _what, _at_ms: payment.refundable > 0,
    "deferred": _deferred,
}
"""Every guard by its name."""

GUARDS_IN_WORDS: dict[Guard, str] = {
    "automatic": "captured with the approval",
    "manual": "captured later, by hand or at a time",
    "cancel_requested": "a cancel was asked meanwhile",
    "accept_late_manual": "late approvals are accepted; captured later",
    "accept_late_automatic": "late approvals are accepted; captured with the approval",
    "stands_manual": "a cancel was asked meanwhile; captured later",
    "stands_automatic": "a cancel was asked meanwhile; captured with the approval",
    "nothing_to_release": "a capture is under way, or nothing is held",
    "hold_over": "the hold has ended, no capture is under way, and something is held",
    "nothing_left": "nothing is under way, and nothing is held or the last capture is done",
    "void_by_expiry": "it was the hold's end that let go, and nothing is left",
    "same_amount": "the amount is what is captured, and nothing was refunded",
    "capturable": "something can be captured",
    "held_and_refundable": "something is held and something can be refunded",
    "refundable": "something can be refunded",
    "deferred": "a later time was set",
}
"""The same for people."""
