"""What a payment refuses, and what a bank has declined.

Problem
├── PaymentDeclined 402
└── Refused 400                a command that settle decided against; asking again gives the same
    ├── of captures            PaymentNotCapturable, PaymentAlreadyCaptured,
    │                          CaptureExceedsAuthorized, AuthorizationExpired
    ├── of voids               PaymentNotCancelable, VoidExceedsCapturable
    ├── of refunds             PaymentNotRefundable, RefundExceedsRefundable, RefundNotCancelable
    ├── of the rest            PaymentNotIncrementable, PaymentNotAwaitingAction,
    │                          ChildNotInReview, TooManyChildren
    ├── of inquiries           NotInDoubt 409, TooManyInquiries
    └── CommandRefused         for a reason that this edge does not know yet
"""

from __future__ import annotations

from typing import Any, Self

from headgate.http.problems import Problem, kind_of
from headgate.http.problems_of_requests import AmountTooLarge, KeyReused, ResourceMissing
from headgate.streams.declines import ADVICE, DECLINES, advice_of, decline_of

NOT_CAPTURABLE = "Payment not in capturable state"
NOT_AVAILABLE = "Refund amount exceeds available amount"
"""The seed's words, kept (08 R19)."""


class PaymentDeclined(Problem):
    """The bank declined the payment, or nobody approved it in time."""

    status, code, title = 402, "payment_declined", "Payment declined"
    seed_code, seed_description = "PAYMENT_FAILED", "Bank rejected transaction"
    remedy = (
        "Look at `decline_code` for the bank's reason and at `advice_code` for whether the "
        "customer may try again. A new try is a new payment with a new Idempotency-Key."
    )
    sample = "The bank declined the payment: insufficient_funds."

    def __init__(
        self,
        detail: str,
        *,
        payment_id: str,
        decline_code: str | None = None,
        advice_code: str | None = None,
    ) -> None:
        super().__init__(detail)
        known = decline_of(decline_code)
        self.decline_code = known
        self.advice_code = advice_of(known, advice_code)
        self.more = {"payment_id": payment_id}

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """JSON schema: with the payment, and the codes of `headgate.streams.declines`."""
        described = super().schema()
        described["required"] = ["payment_id"]
        described["properties"] |= {
            "payment_id": {"type": "string", "description": "The payment that was declined."},
            "decline_code": {"enum": [*DECLINES, None]},
            "advice_code": {"enum": [*ADVICE, None]},
        }
        return described

    @classmethod
    def example(cls) -> Self:
        """A card without enough money on it."""
        return cls(
            cls.sample,
            payment_id="pay_aaaaaaaaaaaaaaa",
            decline_code="insufficient_funds",
            advice_code="try_again_later",
        )


class Refused(Problem):
    """A command that settle decided against. It is recorded, and the payment did not change."""

    status = 400


class PaymentNotCapturable(Refused):
    """The payment is in a state in which nothing can be captured."""

    code, title = "payment_not_capturable", "Payment not capturable"
    seed_description = NOT_CAPTURABLE
    remedy = "Look at the payment's `state`: only an authorised payment can be captured."
    sample = "The payment is canceled; only an authorized payment can be captured."


class PaymentAlreadyCaptured(Refused):
    """The payment was captured already, with another amount than this request asks for."""

    code, title = "payment_already_captured", "Payment already captured"
    seed_description = NOT_CAPTURABLE
    remedy = "Nothing is left to capture. Repeating the amount that was captured answers 200."
    sample, sample_param = "The payment was captured with 50000.", "amount"


class CaptureExceedsAuthorized(Refused):
    """More would be captured than is authorised and not yet captured, pending or voided."""

    code, title = "capture_exceeds_authorized", "Capture exceeds authorised amount"
    seed_description = NOT_CAPTURABLE
    remedy = "Capture at most what `detail` says is left, or raise the hold with an increment."
    sample, sample_param = "60000 are asked for, 50000 can be captured.", "amount"


class AuthorizationExpired(Refused):
    """The hold of the authorisation has ended: the money is no longer reserved."""

    code, title = "authorization_expired", "Authorisation expired"
    seed_description = NOT_CAPTURABLE
    remedy = "Ask the customer to pay again; capture within the hold, which is 7 days."
    sample = "The authorisation has expired."


class PaymentNotCancelable(Refused):
    """The payment is in a state in which there is nothing to cancel."""

    code, title = "payment_not_cancelable", "Payment not cancelable"
    remedy = "Refund a captured payment; `reversals` does whichever of the two is possible."
    sample = "The payment is captured; refund it."


class VoidExceedsCapturable(Refused):
    """More would be voided than is authorised and not yet captured, pending or voided."""

    code, title = "void_exceeds_capturable", "Void exceeds capturable amount"
    remedy = "Void at most what `detail` says is left, or leave `amount` out to void all of it."
    sample, sample_param = "60000 are to be voided, 50000 are left.", "amount"


class PaymentNotRefundable(Refused):
    """Nothing of the payment was captured, so that nothing can be given back."""

    code, title = "payment_not_refundable", "Payment not refundable"
    remedy = "Cancel a payment that is not captured; `reversals` does whichever is possible."
    sample = "The payment is authorized; nothing of it was captured."


class RefundExceedsRefundable(Refused):
    """More would be refunded than was captured and is not yet refunded or pending."""

    code, title = "refund_exceeds_refundable", "Refund exceeds refundable amount"
    seed_description = NOT_AVAILABLE
    remedy = "Refund at most what `detail` says is left."
    sample, sample_param = "60000 are asked for, 50000 can be refunded.", "amount"


class RefundNotCancelable(Refused):
    """The refund is at the bank already, or done."""

    code, title = "refund_not_cancelable", "Refund not cancelable"
    remedy = "Only a refund whose `submit_at` is still to come can be canceled."
    sample = "The refund is processed."


class PaymentNotIncrementable(Refused):
    """The payment is in a state in which its hold cannot be raised."""

    code, title = "payment_not_incrementable", "Payment not incrementable"
    remedy = "Only an authorised payment that is not yet wholly captured has a hold to raise."
    sample = "The payment is captured; there is no hold to raise."


class PaymentNotAwaitingAction(Refused):
    """The payment does not wait for its customer."""

    code, title = "payment_not_awaiting_action", "Payment not awaiting action"
    remedy = "Look at the payment's `state`: only one in `requires_action` can be authenticated."
    sample = "The payment is captured; it does not wait for its customer."


class ChildNotInReview(Refused):
    """This capture, refund or void is not one that a person has to resolve."""

    code, title = "child_not_in_review", "Not in review"
    remedy = "Look at its state: only `needs_review` can be resolved, and once."
    sample = "rfnd_aaaaaaaaaaaaaaaa is succeeded."


class NotInDoubt(Refused):
    """The bank has said how this ended, or has not been asked yet: there is nothing to ask."""

    status, code, title = 409, "not_in_doubt", "Not in doubt"
    remedy = "Look at its state: only what is `in_doubt` or `needs_review` can be asked about."
    sample = "The payment is captured, not in doubt: there is nothing to ask the bank."


class TooManyInquiries(Refused):
    """The bank was asked by hand about this payment as often as it may be."""

    code, title = "too_many_inquiries", "Too many inquiries by hand"
    remedy = "It is still asked by itself. Speak to the bank, then resolve what needs review."
    sample = "The bank was asked 900 times by hand; that is all."


class TooManyChildren(Refused):
    """The payment has as many captures, refunds, voids and increments as one may have."""

    code, title = "too_many_children", "Too many operations on one payment"
    remedy = "Move the rest in one piece outside of this payment."
    sample = "The payment has 100 captures, refunds, voids and increments; it cannot have more."


class CommandRefused(Refused):
    """The payment refused for a reason that this edge is too old to know; `detail` tells it."""

    code, title = "command_refused", "Command refused"
    remedy = "Read `detail`. The operator finishes the update of the gateway."
    sample = "The payment refused this (some_newer_code)."


def refusal_problem(
    code: str, detail: str, param: str | None = None, *, seed_error: str | None = None
) -> Problem:
    """What settle decided against (`operations.result`) as the problem that the caller gets.

    `seed_error` is the string that the seed answers on this route, where it has one. An edge that
    is older than the worker which decided answers `command_refused` for codes it does not know.
    """
    kind = _SHARED.get(code) or kind_of(code)
    if kind is not None and (code in _SHARED or issubclass(kind, Refused)):
        return kind(detail, param=param, seed_error=seed_error)
    return CommandRefused(f"{detail} ({code})", param=param, seed_error=seed_error)


_SHARED: dict[str, type[Problem]] = {
    "amount_too_large": AmountTooLarge,
    "resource_missing": ResourceMissing,
    "payment_unknown": ResourceMissing,
    "payment_exists": KeyReused,
}
"""Refusals of settle for which the edge has a word already, since it also finds them by itself.
Under one key stands one payment: that another one exists there means that the body differs."""
