"""What may be asked of a payment that exists: strict, bounded, canonical."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from headgate.http.schemas import Asked, Time, one_line, some_text
from headgate.streams.money import Amount

REASON_CHARACTERS_MAX = 255
EVIDENCE_CHARACTERS_MAX = 2000
CHILD_ID_CHARACTERS_MAX = 40

Reason = Annotated[str, Field(max_length=REASON_CHARACTERS_MAX), AfterValidator(one_line)]
Evidence = Annotated[
    str, Field(min_length=1, max_length=EVIDENCE_CHARACTERS_MAX), AfterValidator(some_text)
]
ChildId = Annotated[
    str, Field(min_length=1, max_length=CHILD_ID_CHARACTERS_MAX), AfterValidator(one_line)
]


class CaptureRequest(Asked):
    """The body of a capture; it may be left out."""

    amount: Amount | None = Field(
        default=None, description="Left out: everything that can be captured.", examples=[50000]
    )
    final: bool = Field(
        default=True, description="Whether this is the last capture: what it leaves is released."
    )


class CancelRequest(Asked):
    """The body of a cancel; it may be left out."""

    amount: Amount | None = Field(
        default=None, description="Left out: everything that is held.", examples=[50000]
    )
    reason: Reason | None = None


class RefundRequest(Asked):
    """The body of a refund: an amount, or that all of it goes back."""

    amount: Amount | None = Field(default=None, examples=[50000])
    full: Literal[True] | None = Field(
        default=None, description="Give back everything that is left, in place of `amount`."
    )
    reason: Reason | None = None
    submit_at: Time | None = Field(
        default=None, description="When the bank is asked; until then it can be canceled."
    )


class RefundCancelRequest(Asked):
    """The body of the cancel of a refund: nothing."""


class ReversalRequest(Asked):
    """The body of a reversal; it may be left out."""

    reason: Reason | None = None


class IncrementRequest(Asked):
    """The body of an increment."""

    amount: Amount = Field(description="By how much the hold is raised.", examples=[10000])


class SimulateRequest(Asked):
    """The body of a simulation, in test mode: what happens to the payment now."""

    event: Literal["authentication.succeeded", "authentication.failed", "late_success"]


class InquireRequest(Asked):
    """What the bank is asked about out of turn, and why."""

    child_id: ChildId | None = Field(
        default=None,
        description="A capture, refund, void, reversal or increment. Left out: the payment itself.",
        examples=["rfnd_aaaaaaaaaaaaaaaa"],
    )
    reason: Annotated[
        str, Field(min_length=1, max_length=REASON_CHARACTERS_MAX), AfterValidator(some_text)
    ] = Field(examples=["The customer is on the phone"])


class ResolveRequest(Asked):
    """How something ended that the bank left in doubt, and how that is known (08 R23)."""

    child_id: ChildId = Field(examples=["rfnd_aaaaaaaaaaaaaaaa"])
    outcome: Literal["succeeded", "failed"]
    evidence: Evidence = Field(examples=["Statement of 26 November, line 14"])
