"""How a command changes a payment, and what it tells. Pure: no clock, no chance, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from headgate.streams import ids
from headgate.streams.clock import iso
from headgate.streams.commands import AcquirerAnswer, AcquirerRequest, Command, CreatePayment
from headgate.streams.facts import Data, Fact, FactType, PaymentSnapshot, Request
from headgate.tables.payment import Payment

__all__ = ["APPROVED_TOO_LATE", "INQUIRY_DELAYS_MS", "Decision", "Outgoing", "Payment", "decide"]

INQUIRY_DELAYS_MS = (
    1000, 3000, 10_000, 30_000, 120_000, 600_000, 3_600_000, 21_600_000, 86_400_000,
)  # fmt: skip
"""How long after an answer that is in doubt the bank is asked again (02 §8.2)."""
APPROVED_TOO_LATE = "approved_too_late"
"""The refusal of an approval whose payment has failed: money moved that the merchant was told did
not, so somebody must reverse it."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to a bank, at once or not before a time."""

    request: AcquirerRequest
    not_before_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command led to. A refusal changes nothing and says why with a stable code."""

    payment: Payment | None
    facts: tuple[Fact, ...] = ()
    requests: tuple[Outgoing, ...] = ()
    refusal: str | None = None


@dataclass(slots=True)
class _Story:
    """Facts in the making: each step changes the payment and tells it."""

    payment: Payment
    at_ms: int
    facts: list[Fact] = field(default_factory=list)
    shown: PaymentSnapshot | None = None

    def tell(self, kind: FactType, **change: object) -> None:
        """Apply `change` and add the fact that says so. A fact that changes nothing, such as
        `payment.success` behind `payment.captured`, shows the payment as it was shown last."""
        sequence = self.payment.sequence + 1
        self.payment = self.payment.model_copy(
            update={**change, "sequence": sequence, "updated_at_ms": self.at_ms}
        )
        snapshot = self.payment.snapshot() if change or not self.shown else self.shown
        self.facts.append(self._fact(kind, sequence, snapshot))
        self.shown = snapshot

    def _fact(self, kind: FactType, sequence: int, snapshot: PaymentSnapshot) -> Fact:
        return Fact(
            id=ids.event_id(self.payment.id, sequence),
            event=kind,
            type=kind,
            timestamp=self.at_ms // 1000,
            created_at=iso(self.at_ms),
            livemode=snapshot.livemode,
            sequence=sequence,
            data=Data(payment=snapshot),
            previous=_changed(self.shown, snapshot),
            request=Request(
                id=self.payment.request_id, idempotency_key=self.payment.idempotency_key
            ),
        )


def _changed(before: PaymentSnapshot | None, after: PaymentSnapshot) -> dict[str, Any]:
    """The members of `before` that `after` has otherwise."""
    if before is None or before is after:
        return {}
    later = after.__dict__
    return {
        name: value
        for name, value in before.__dict__.items()
        if value != later[name] and name != "updated_at"
    }


def decide(payment: Payment | None, command: Command, at_ms: int) -> Decision:
    """What `command`, written to the log at `at_ms`, does to `payment` (None: not known yet)."""
    if isinstance(command, CreatePayment):
        return _create(payment, command, at_ms)
    return _answer(payment, command, at_ms)


def _create(payment: Payment | None, command: CreatePayment, at_ms: int) -> Decision:
    if payment is not None:
        return Decision(payment, refusal="payment_exists")
    attempt = ids.attempt_id(command.command_id, 1)
    story = _Story(_new_payment(command, attempt, at_ms), at_ms)
    story.tell("payment.created")
    story.tell("payment.pending")
    # 08 R11: the request leaves with the decision, so nothing can be cancelled in between.
    story.tell("payment.processing", state="processing")
    request = _request(story.payment, "authorize", look=0)
    return Decision(story.payment, tuple(story.facts), (Outgoing(request),))


def _new_payment(command: CreatePayment, attempt: str, at_ms: int) -> Payment:
    return Payment(
        id=command.payment_id,
        merchant_id=command.merchant_id,
        mode=command.mode,
        version=1,
        sequence=0,
        state="created",
        order_id=command.order_id,
        amount=command.amount,
        currency=command.currency,
        method=command.method,
        vpa=command.vpa,
        card=command.card,
        scenario=command.scenario,
        capture_method=command.capture_method,
        description=command.description,
        metadata=command.metadata,
        request_id=command.request_id,
        idempotency_key=command.idempotency_key,
        attempt_id=attempt,
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
    )


def _request(payment: Payment, kind: str, look: int) -> AcquirerRequest:
    return AcquirerRequest(
        type="authorize" if kind == "authorize" else "inquire",
        payment_id=payment.id,
        merchant_id=payment.merchant_id,
        mode=payment.mode,
        attempt_id=payment.attempt_id,
        look=look,
        amount=payment.amount,
        currency=payment.currency,
        method=payment.method,
        vpa=payment.vpa,
        card=payment.card,
        scenario=payment.scenario,
    )


def _answer(payment: Payment | None, answer: AcquirerAnswer, at_ms: int) -> Decision:
    if payment is None:
        return Decision(None, refusal="payment_unknown")
    if answer.attempt_id != payment.attempt_id:
        return Decision(payment, refusal="attempt_unknown")
    if payment.state == "failed" and answer.outcome == "approved":
        return Decision(payment, refusal=APPROVED_TOO_LATE)
    if payment.state not in ("processing", "in_doubt"):
        return Decision(payment, refusal="attempt_answered")
    moved = payment.model_copy(update={"version": payment.version + 1})
    story = _Story(moved, at_ms, shown=payment.snapshot())
    if answer.outcome == "unknown":
        return _doubt(story, answer)
    if answer.outcome == "approved":
        _approve(story, answer)
    else:
        _fail(story, answer)
    return Decision(story.payment, tuple(story.facts))


def _approve(story: _Story, answer: AcquirerAnswer) -> None:
    story.tell(
        "payment.authorized",
        state="authorized",
        amount_authorized=answer.amount,
        acquirer_reference=answer.reference,
    )
    if story.payment.capture_method == "automatic":
        story.tell("payment.captured", state="captured", amount_captured=answer.amount)
    story.tell("payment.success")


def _fail(story: _Story, answer: AcquirerAnswer) -> None:
    story.tell(
        "payment.failed",
        state="failed",
        error_code="PAYMENT_FAILED",
        error_description="Bank rejected transaction",
        decline_code=answer.decline_code,
        advice_code=answer.advice_code,
        acquirer_reference=answer.reference,
    )


def _doubt(story: _Story, answer: AcquirerAnswer) -> Decision:
    """Never a blind second charge: the bank is asked what became of the first one."""
    if story.payment.state == "processing":
        story.tell("payment.in_doubt", state="in_doubt")
    if answer.look >= len(INQUIRY_DELAYS_MS):
        return Decision(story.payment, tuple(story.facts))
    inquiry = _request(story.payment, "inquire", look=answer.look + 1)
    due = story.at_ms + INQUIRY_DELAYS_MS[answer.look]
    return Decision(story.payment, tuple(story.facts), (Outgoing(inquiry, due),))
