"""What the OpenAPI document says about the commands on payments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.http.answers import PaymentAnswer, PendingOperation
from headgate.http.openapi_operation import API, WAITING, Kinds, Model, Operation
from headgate.http.problems_of_payments import (
    AuthorizationExpired,
    CaptureExceedsAuthorized,
    ChildNotInReview,
    CommandRefused,
    NotInDoubt,
    PaymentAlreadyCaptured,
    PaymentNotAwaitingAction,
    PaymentNotCancelable,
    PaymentNotCapturable,
    PaymentNotIncrementable,
    PaymentNotRefundable,
    RefundExceedsRefundable,
    RefundNotCancelable,
    TooManyChildren,
    TooManyInquiries,
    VoidExceedsCapturable,
)
from headgate.http.problems_of_requests import (
    AmountTooLarge,
    IdempotencyKeyMissing,
    ParameterInvalid,
)
from headgate.http.schemas_of_commands import (
    CancelRequest,
    CaptureRequest,
    IncrementRequest,
    InquireRequest,
    RefundCancelRequest,
    RefundRequest,
    ResolveRequest,
    ReversalRequest,
    SimulateRequest,
)
from headgate.streams.facts import ChildSnapshot
from headgate.tables.inquiries import Inquiry

_EVERY: Kinds = (CommandRefused, IdempotencyKeyMissing, *WAITING)
_PAYMENT = f"{API}/payments/{{id}}"
_CANCEL: Kinds = (AmountTooLarge, PaymentNotCancelable, VoidExceedsCapturable, TooManyChildren)


_PAYMENT_OR_LATER = {200: PaymentAnswer, 202: PendingOperation}
_CHILD_OR_LATER = {200: ChildSnapshot, 202: PendingOperation}
_MADE_OR_LATER = {201: ChildSnapshot, 202: PendingOperation}


def _command(
    path: str,
    name: str,
    summary: str,
    problems: Kinds,
    body: tuple[Model, Mapping[str, Any]],
    **more: Any,
) -> Operation:
    """A POST that is answered with its decision, or 202."""
    answers = more.pop("answers", _PAYMENT_OR_LATER)
    return Operation(
        "post", path, name, summary, answers, (*_EVERY, *problems), *body, keyed=True, **more
    )


COMMANDS = (
    _command(
        f"{_PAYMENT}/capture", "capturePayment", "Take held money",
        (AmountTooLarge, AuthorizationExpired, CaptureExceedsAuthorized, PaymentAlreadyCaptured,
         PaymentNotCapturable, TooManyChildren),
        (CaptureRequest, {"amount": 50000}), scope="payments:write", may_be_empty=True,
    ),
    _command(
        f"{_PAYMENT}/cancel", "cancelPayment", "Give back what is held", _CANCEL,
        (CancelRequest, {"reason": "out of stock"}), scope="payments:write", may_be_empty=True,
    ),
    _command(
        f"{_PAYMENT}/void", "voidPayment", "Another name of cancel", _CANCEL,
        (CancelRequest, {"amount": 10000}), scope="payments:write", may_be_empty=True,
    ),
    _command(
        f"{_PAYMENT}/refunds", "createRefund", "Give captured money back",
        (AmountTooLarge, PaymentNotRefundable, RefundExceedsRefundable, TooManyChildren),
        (RefundRequest, {"amount": 50000, "reason": "returned"}), scope="refunds:write",
        answers=_MADE_OR_LATER,
    ),
    _command(
        f"{_PAYMENT}/reversals", "reversePayment", "Cancel or refund, whichever applies",
        (PaymentNotCancelable, TooManyChildren),
        (ReversalRequest, {"reason": "duplicate order"}), scope="refunds:write", may_be_empty=True,
    ),
    _command(
        f"{_PAYMENT}/increment", "incrementPayment", "Hold more",
        (AmountTooLarge, PaymentNotIncrementable, TooManyChildren),
        (IncrementRequest, {"amount": 10000}), scope="payments:write",
    ),
    _command(
        f"{_PAYMENT}/simulate", "simulatePayment",
        "Let the customer come back, or the bank approve late (test mode)",
        (PaymentNotAwaitingAction,),
        (SimulateRequest, {"event": "authentication.succeeded"}), scope="test:write",
    ),
    _command(
        f"{_PAYMENT}/resolve", "resolvePayment",
        "Say how something ended that the bank left in doubt", (ChildNotInReview,),
        (ResolveRequest, {"child_id": "rfnd_aaaaaaaaaaaaaaaa", "outcome": "succeeded",
                          "evidence": "Statement of 26 November, line 14"}),
        scope="operator", answers=_CHILD_OR_LATER,
    ),
    _command(
        f"{_PAYMENT}/inquire", "inquirePayment",
        "Ask the bank now about something that it left in doubt", (NotInDoubt, TooManyInquiries),
        (InquireRequest, {"child_id": "rfnd_aaaaaaaaaaaaaaaa",
                          "reason": "The customer is on the phone"}),
        scope="operator", answers={200: Inquiry, 202: PendingOperation},
    ),
    _command(
        f"{API}/refunds/{{id}}/cancel", "cancelRefund", "Take back a refund before its time",
        (ParameterInvalid, RefundNotCancelable), (RefundCancelRequest, {}),
        scope="refunds:write", answers=_CHILD_OR_LATER, may_be_empty=True,
    ),
)  # fmt: skip
