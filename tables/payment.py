"""A payment: everything that settle knows of it, and what the world sees of it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from headgate.streams.clock import iso
from headgate.streams.commands import (
    CaptureMethod,
    Card,
    ChildKind,
    LateAuthorization,
    Method,
    Mode,
)
from headgate.streams.facts import PaymentSnapshot, State, Status
from headgate.tables.children import Child, Owner

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
    capture_at_ms: int | None = None
    expires_in_s: int | None = None
    expires_at_ms: int | None = None
    """When the hold ends, or the customer's time to answer the bank."""
    late_authorization: LateAuthorization = "refund"
    partial_authorization: bool = False
    customer_id: str | None = None
    statement_descriptor: str | None = None
    return_url: str | None = None
    description: str | None
    metadata: Metadata
    request_id: str
    idempotency_key: str | None
    attempt_id: str
    authenticated: bool = False
    """Whether the customer has passed the bank's question."""
    amount_authorized: int = 0
    amount_captured: int = 0
    amount_refunded: int = 0
    amount_voided: int = 0
    cancel_requested: bool = False
    hold_expired: bool = False
    """The hold's time is over: nothing more is captured, and the rest is released."""
    asked_by_hand: int = 0
    """How often operators asked the bank out of turn, about it or about a child."""
    children: tuple[Child, ...] = ()
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
        """Whether a command may still move it, or a bank owes a word about its money."""
        return self.state in OPEN_STATES or any(child.is_reserved for child in self.children)

    @property
    def owner(self) -> Owner:
        """What its children show of it."""
        return Owner(self.id, self.merchant_id, self.mode, self.currency)

    def pending(self, kind: ChildKind) -> int:
        """The sum that is reserved for children of this kind."""
        if not self.children:
            return 0
        return sum(c.amount for c in self.children if c.kind == kind and c.is_reserved)

    @property
    def held(self) -> int:
        """What the bank still holds and nobody has asked for."""
        taken = self.amount_captured + self.amount_voided
        if self.children:
            taken += self.pending("capture") + self.pending("void")
        return max(0, self.amount_authorized - taken)

    @property
    def last_capture_asked(self) -> bool:
        """Whether a final capture is under way or done; one that failed does not count."""
        last = (c for c in self.children if c.kind == "capture" and c.final)
        return any(c.is_reserved or c.state == "succeeded" for c in last)

    @property
    def approval_seen(self) -> bool:
        """Whether the bank's approval was taken in: held, or sent back by a reversal."""
        return self.amount_authorized > 0 or any(c.kind == "reversal" for c in self.children)

    @property
    def capturable(self) -> int:
        """What can still be captured: what is held, unless the last capture is under way."""
        if self.state not in ("authorized", "partially_captured") or self.hold_expired:
            return 0
        return 0 if self.last_capture_asked else self.held

    @property
    def refundable(self) -> int:
        """What can still be given back."""
        return self.amount_captured - self.amount_refunded - self.pending("refund")

    @property
    def _expires(self) -> bool:
        """Whether there is a hold, or a customer who has to answer, for its time to end."""
        return self.state in ("requires_action", "authorized", "partially_captured")

    def child(self, child_id: str) -> Child | None:
        """One of its children."""
        return next((child for child in self.children if child.id == child_id), None)

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
            amount_capturable=self.capturable,
            amount_captured=self.amount_captured,
            amount_capture_pending=self.pending("capture"),
            amount_voided=self.amount_voided,
            amount_void_pending=self.pending("void"),
            amount_refunded=self.amount_refunded,
            amount_refund_pending=self.pending("refund"),
            error_code=self.error_code,
            error_description=self.error_description,
            decline_code=self.decline_code,
            advice_code=self.advice_code,
            cancel_requested=self.cancel_requested,
            capture_at=iso(self.capture_at_ms) if self.capture_at_ms else None,
            expires_at=iso(self.expires_at_ms) if self.expires_at_ms and self._expires else None,
            customer_id=self.customer_id,
            statement_descriptor=self.statement_descriptor,
            return_url=self.return_url,
            late_authorization=self.late_authorization,
            description=self.description,
            metadata=self.metadata,
            livemode=self.mode == "live",
            created_at=iso(self.created_at_ms),
            updated_at=iso(self.updated_at_ms),
        )
