"""A payment's captures, voids, refunds, reversals and increments: small machines of their own."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from headgate.streams.clock import iso
from headgate.streams.commands import ChildKind, Mode
from headgate.streams.facts import ChildSnapshot, ChildState, ChildStatus, FactType

CHILDREN_MAX = 100
"""Most children of one payment: they travel with it, so their number is bounded."""

Cause = Literal[
    "client", "capture_at", "hold_expiry", "cancel", "late_approval", "partial_approval",
    "window_end",
]  # fmt: skip
"""What made a child: the client, a timer, or the rule that sends money back."""

ChildTrigger = Literal[
    "due", "cancel", "approved", "declined", "unknown", "no_news", "window_ended", "inquire",
    "resolved_succeeded", "resolved_failed",
]  # fmt: skip
"""What may happen to a child. `declined` includes a bank that knows of nothing."""

RESERVED: frozenset[ChildState] = frozenset({"requested", "submitted", "in_doubt", "needs_review"})
"""States in which a child's amount is reserved and cannot be spent twice."""


class Owner(NamedTuple):
    """What a child shows of its payment."""

    payment_id: str
    merchant_id: str
    mode: Mode
    currency: str


class Child(BaseModel):
    """One movement of a payment's money at the bank."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: ChildKind
    state: ChildState
    amount: int
    cause: Cause
    reason: str | None = None
    final: bool = False
    attempt_id: str
    request_id: str | None = None
    idempotency_key: str | None = None
    submit_at_ms: int | None = None
    acquirer_reference: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    evidence: str | None = None
    """What an operator said when the bank could not tell."""
    created_at_ms: int
    processed_at_ms: int | None = None

    @property
    def is_reserved(self) -> bool:
        """Whether the bank's final word is still to come."""
        return self.state in RESERVED

    @property
    def status(self) -> ChildStatus:
        """The coarse word."""
        if self.state == "succeeded":
            return "processed" if self.kind == "refund" else "succeeded"
        if self.state == "failed":
            return "failed"
        return "canceled" if self.state == "canceled" else "pending"

    def snapshot(self, owner: Owner) -> ChildSnapshot:
        """The child as merchants and consumers see it."""
        return ChildSnapshot(
            id=self.id,
            object=self.kind,
            payment_id=owner.payment_id,
            merchant_id=owner.merchant_id,
            amount=self.amount,
            currency=owner.currency,
            status=self.status,
            state=self.state,
            reason=self.reason,
            final=self.final,
            cause=self.cause,
            decline_code=self.decline_code,
            advice_code=self.advice_code,
            submit_at=iso(self.submit_at_ms) if self.submit_at_ms else None,
            livemode=owner.mode == "live",
            created_at=iso(self.created_at_ms),
            processed_at=iso(self.processed_at_ms) if self.processed_at_ms else None,
        )


class ChildStep(NamedTuple):
    """One row of the children's table. `kinds` empty means every kind."""

    sources: tuple[ChildState, ...]
    trigger: ChildTrigger
    target: ChildState
    tells: str | None
    """The fact's word behind the kind, such as `failed`; None tells nothing."""
    why: str
    kinds: tuple[ChildKind, ...] = ()
    unasked: bool = False
    """Whether the row is only for children that no client asked for."""


_OPEN: tuple[ChildState, ...] = ("submitted", "in_doubt", "needs_review")

_REFUND: tuple[ChildKind, ...] = ("refund",)
_BACK: tuple[ChildKind, ...] = ("reversal", "void")

CHILD_STEPS: tuple[ChildStep, ...] = (
    ChildStep(("requested",), "due", "submitted", "submitted", "its time has come", _REFUND),
    ChildStep(("requested",), "cancel", "canceled", "canceled",
              "the bank was not asked yet", _REFUND),
    ChildStep(_OPEN, "approved", "succeeded", "succeeded", "the bank did it"),
    ChildStep(("submitted", "in_doubt"), "declined", "needs_review", "needs_review",
              "money that must go back did not: a person has to look", _BACK, unasked=True),
    ChildStep(("needs_review",), "declined", "needs_review", None,
              "the bank says so again: a person has to look", _BACK, unasked=True),
    ChildStep(_OPEN, "declined", "failed", "failed", "the bank refused, or knows of nothing"),
    ChildStep(("submitted",), "unknown", "in_doubt", "in_doubt",
              "no answer: the bank is asked again"),
    ChildStep(("in_doubt",), "unknown", "in_doubt", None, "still no answer"),
    ChildStep(("submitted", "in_doubt"), "window_ended", "needs_review", "needs_review",
              "the bank could not tell: an operator resolves it, reserved until then"),
    ChildStep(("in_doubt",), "inquire", "in_doubt", None,
              "an operator asks out of turn; it is asked in its turn all the same"),
    ChildStep(("needs_review",), "inquire", "needs_review", None, "an operator asks once more"),
    ChildStep(("in_doubt",), "no_news", "in_doubt", None, "asked by hand, and still no answer"),
    ChildStep(("needs_review",), "no_news", "needs_review", None, "likewise"),
    ChildStep(("needs_review",), "resolved_succeeded", "succeeded", "succeeded",
              "an operator had evidence"),
    ChildStep(("needs_review",), "resolved_failed", "failed", "failed",
              "an operator had evidence"),
    ChildStep(("succeeded",), "declined", "failed", "failed",
              "the bank returned it later, unasked: the amount can be refunded again", _REFUND),
)  # fmt: skip
"""The whole machine of children (02 §8.2, 08 R20 to R23); the first row that fits counts. Whatever
is not here changes nothing."""


def child_step(child: Child, trigger: ChildTrigger) -> ChildStep | None:
    """The row for what happened to a child, None when nothing may."""
    for step in CHILD_STEPS:
        fits = step.trigger == trigger and child.state in step.sources
        if step.unasked and child.cause == "client":
            continue
        if fits and (not step.kinds or child.kind in step.kinds):
            return step
    return None


def fact_of(kind: ChildKind, word: str) -> FactType:
    """`refund.processed` for a refund that succeeded, `capture.succeeded` for a capture."""
    said = "processed" if (kind, word) == ("refund", "succeeded") else word
    return FACTS[f"{kind}.{said}"]


FACTS: dict[str, FactType] = {
    f"{kind}.{word}": f"{kind}.{word}"  # type: ignore[misc]  # the test holds them to FactType
    for kind, words in {
        "capture": ("created", "succeeded", "failed", "in_doubt", "needs_review"),
        "void": ("created", "succeeded", "failed", "in_doubt", "needs_review"),
        "refund": (
            "created", "submitted", "processed", "failed", "canceled", "in_doubt", "needs_review",
        ),
        "reversal": ("created", "succeeded", "failed", "in_doubt", "needs_review"),
        "increment": ("created", "succeeded", "failed", "in_doubt", "needs_review"),
    }.items()
    for word in words
}  # fmt: skip
"""The facts about children by their names."""
