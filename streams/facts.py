"""Facts: what was decided. A fact's value is the webhook's body, frozen once (08 R9)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from headgate.streams.commands import (
    CaptureMethod,
    Card,
    ChildKind,
    LateAuthorization,
    Method,
    Mode,
)

FactType = Literal[
    "payment.created",
    "payment.pending",
    "payment.processing",
    "payment.requires_action",
    "payment.authorized",
    "payment.amount_capturable_updated",
    "payment.partially_captured",
    "payment.captured",
    "payment.success",
    "payment.failed",
    "payment.in_doubt",
    "payment.cancel_requested",
    "payment.canceled",
    "payment.expired",
    "payment.late_authorized",
    "payment.reversal_sent",
    "capture.created",
    "capture.succeeded",
    "capture.failed",
    "capture.in_doubt",
    "capture.needs_review",
    "void.created",
    "void.succeeded",
    "void.failed",
    "void.in_doubt",
    "void.needs_review",
    "refund.created",
    "refund.submitted",
    "refund.processed",
    "refund.failed",
    "refund.canceled",
    "refund.in_doubt",
    "refund.needs_review",
    "reversal.created",
    "reversal.succeeded",
    "reversal.failed",
    "reversal.in_doubt",
    "reversal.needs_review",
    "increment.created",
    "increment.succeeded",
    "increment.failed",
    "increment.in_doubt",
    "increment.needs_review",
]
"""Everything that can be told. The part before the point is what the fact is about; a fact about
a capture, void, refund, reversal or increment carries it beside the payment."""
Status = Literal["pending", "success", "failed", "canceled"]
State = Literal[
    "created",
    "requires_action",
    "processing",
    "in_doubt",
    "authorized",
    "partially_captured",
    "captured",
    "failed",
    "canceled",
    "expired",
]

API_VERSION: Literal["v1"] = "v1"
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A time as `iso` tells it: UTC, RFC 3339, whole milliseconds."""


class PaymentSnapshot(BaseModel):
    """A payment as merchants and downstream consumers see it, over HTTP and on the log."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    id: str
    object: Literal["payment"] = "payment"
    merchant_id: str
    order_id: str
    amount: int
    currency: str
    method: Method
    vpa: str | None
    card: Card | None
    status: Status
    """The seed's coarse word."""
    state: State
    """The exact state of the machine."""
    captured: bool
    capture_method: CaptureMethod
    amount_authorized: int
    amount_capturable: int
    """What can still be captured."""
    amount_captured: int
    amount_capture_pending: int
    """At the bank to be captured: reserved, not moved."""
    amount_voided: int
    amount_void_pending: int
    amount_refunded: int
    amount_refund_pending: int
    """Reserved for refunds that the bank has not confirmed."""
    error_code: str | None
    error_description: str | None
    decline_code: str | None
    advice_code: str | None
    cancel_requested: bool
    """Asked to cancel while the bank had not answered: an approval will be reversed."""
    capture_at: Time | None
    expires_at: Time | None
    """When the hold, or the customer's time to answer the bank, ends."""
    customer_id: str | None
    statement_descriptor: str | None
    return_url: str | None
    late_authorization: LateAuthorization
    description: str | None
    metadata: dict[str, str]
    livemode: bool
    created_at: Time
    updated_at: Time


ChildState = Literal[
    "requested", "submitted", "in_doubt", "needs_review", "succeeded", "failed", "canceled"
]
ChildStatus = Literal["pending", "succeeded", "processed", "failed", "canceled"]


class ChildSnapshot(BaseModel):
    """A capture, void, refund, reversal or increment as merchants and consumers see it."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    id: str
    object: ChildKind
    payment_id: str
    merchant_id: str
    amount: int
    currency: str
    status: ChildStatus
    """The coarse word; a refund that succeeded is `processed`, as in the seed."""
    state: ChildState
    reason: str | None
    final: bool
    """Whether it is the last capture."""
    cause: str
    """What made it: the client, a timer, or a rule such as `late_approval`."""
    decline_code: str | None
    advice_code: str | None
    submit_at: Time | None
    livemode: bool
    created_at: Time
    processed_at: Time | None
    """When the bank's final word came."""


class Request(BaseModel):
    """Which API request led to a fact."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    id: str | None = None
    idempotency_key: str | None = None


def _absent(value: object) -> bool:
    return value is None


class Data(BaseModel):
    """What a fact is about."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    payment: PaymentSnapshot
    capture: ChildSnapshot | None = Field(default=None, exclude_if=_absent)
    void: ChildSnapshot | None = Field(default=None, exclude_if=_absent)
    refund: ChildSnapshot | None = Field(default=None, exclude_if=_absent)
    reversal: ChildSnapshot | None = Field(default=None, exclude_if=_absent)
    increment: ChildSnapshot | None = Field(default=None, exclude_if=_absent)


class Fact(BaseModel):
    """One thing that was decided about one payment. `sequence` has no gaps per payment."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    v: Literal[1] = 1
    id: str
    event: FactType
    type: FactType
    timestamp: int
    """Unix seconds, as in the seed."""
    created_at: Time
    api_version: Literal["v1"] = API_VERSION
    livemode: bool
    sequence: int
    data: Data
    previous: dict[str, Any]
    """The members of the snapshot that changed, with their earlier values."""
    request: Request


FACT: TypeAdapter[Fact] = TypeAdapter(Fact)


def mode_of(livemode: bool) -> Mode:
    """`live` or `test`."""
    return "live" if livemode else "test"
