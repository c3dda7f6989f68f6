"""A payment: everything that settle knows of it, and what the world sees of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from headgate.streams.clock import iso
from headgate.streams.commands import CaptureMethod, Card, Method, Mode
from headgate.streams.facts import PaymentSnapshot, State, Status

STATUS_OF: dict[State, Status] = {
    "created": "pending",
    "requires_action": "pending",
    "processing": "pending",
    "in_doubt": "pending",
    "authorized": "success",
    "partially_captured": "success",
    "captured": "success",
    "failed": "failed",
    "canceled": "canceled",
    "expired": "canceled",
}
"""The seed's coarse word for every state (02 §8.1)."""

OPEN_STATES = frozenset(
    {"created", "requires_action", "processing", "in_doubt", "authorized", "partially_captured"}
)
"""States that a command may still move, and so those that the hot table holds (00 A7)."""


def _in_order(metadata: dict[str, str]) -> dict[str, str]:
    return dict(sorted(metadata.items()))


Metadata = Annotated[dict[str, str], AfterValidator(_in_order)]
"""What a merchant attached, sorted by name. PostgreSQL's jsonb has an order of its own: without
this, a payment that was read back would tell other bytes than one that was still in memory."""


class Payment(BaseModel):
    """Everything that settle knows of a payment. `version` counts the commands that changed it,
    `sequence` its facts."""

    model_config = ConfigDict(frozen=True)

    id: str
    merchant_id: str
    mode: Mode
    version: int
    sequence: int
    state: State
    order_id: str
    amount: int
    currency: str
    method: Method
    vpa: str | None
    card: Card | None
    scenario: str | None
    capture_method: CaptureMethod
    description: str | None
    metadata: Metadata
    request_id: str
    idempotency_key: str | None
    attempt_id: str
    amount_authorized: int = 0
    amount_captured: int = 0
    amount_refunded: int = 0
    acquirer_reference: str | None = None
    error_code: str | None = None
    error_description: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    created_at_ms: int
    updated_at_ms: int

    @property
    def status(self) -> Status:
        """The seed's coarse word."""
        return STATUS_OF[self.state]

    @property
    def is_open(self) -> bool:
        """Whether a command may still move it."""
        return self.state in OPEN_STATES

    def snapshot(self) -> PaymentSnapshot:
        """The payment as merchants and consumers see it."""
        return PaymentSnapshot(
            id=self.id,
            merchant_id=self.merchant_id,
            order_id=self.order_id,
            amount=self.amount,
            currency=self.currency,
            method=self.method,
            vpa=self.vpa,
            card=self.card,
            status=self.status,
            state=self.state,
            captured=self.amount_captured > 0,
            capture_method=self.capture_method,
            amount_authorized=self.amount_authorized,
            amount_captured=self.amount_captured,
            amount_refunded=self.amount_refunded,
            error_code=self.error_code,
            error_description=self.error_description,
            decline_code=self.decline_code,
            advice_code=self.advice_code,
            description=self.description,
            metadata=self.metadata,
            livemode=self.mode == "live",
            created_at=iso(self.created_at_ms),
            updated_at=iso(self.updated_at_ms),
        )
