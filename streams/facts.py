"""Facts: what was decided. A fact's value is the webhook's body, frozen once (08 R9)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from headgate.streams.commands import CaptureMethod, Card, Method, Mode

FactType = Literal[
    "payment.created",
    "payment.pending",
    "payment.processing",
    "payment.authorized",
    "payment.captured",
    "payment.success",
    "payment.failed",
    "payment.in_doubt",
]
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


class PaymentSnapshot(BaseModel):
    """A payment as merchants and downstream consumers see it, over HTTP and on the log."""

    model_config = ConfigDict(frozen=True)

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
    amount_captured: int
    amount_refunded: int
    error_code: str | None
    error_description: str | None
    decline_code: str | None
    advice_code: str | None
    description: str | None
    metadata: dict[str, str]
    livemode: bool
    created_at: str
    updated_at: str


class Request(BaseModel):
    """Which API request led to a fact."""

    model_config = ConfigDict(frozen=True)

    id: str | None = None
    idempotency_key: str | None = None


class Data(BaseModel):
    """What a fact is about."""

    model_config = ConfigDict(frozen=True)

    payment: PaymentSnapshot


class Fact(BaseModel):
    """One thing that was decided about one payment. `sequence` has no gaps per payment."""

    model_config = ConfigDict(frozen=True)

    v: Literal[1] = 1
    id: str
    event: FactType
    type: FactType
    timestamp: int
    """Unix seconds, as in the seed."""
    created_at: str
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
