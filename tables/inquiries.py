"""Questions to a bank about what it left in doubt: in their turn, and by an operator's hand."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from headgate.streams.clock import iso
from headgate.streams.commands import AcquirerAnswer, AcquirerRequest, BankCall, InquirePayment
from headgate.tables import requests
from headgate.tables.children import Child
from headgate.tables.story import Changes, Refused, Story, What

BY_HAND_FROM = 100
"""Questions above this number are asked by hand. They stand beside the chain of
`INQUIRY_DELAYS_MS`, whose numbers stay below: so they neither take a question of it away nor add
one, and whoever asks twice asks two questions."""
BY_HAND_MAX = 900
"""Most questions by hand about one payment and its children."""

Silence = Literal["unknown", "no_news", "window_ended"]


def silence(answer: AcquirerAnswer) -> Silence:
    """What it means that a bank could not tell: it is asked again in its turn, was asked by hand
    and is asked in its turn all the same, or had its last chance."""
    if answer.look > BY_HAND_FROM:
        return "no_news"
    return "unknown" if answer.look < len(requests.INQUIRY_DELAYS_MS) else "window_ended"


def is_late(child: Child, answer: AcquirerAnswer) -> bool:
    """Whether an inquiry found nothing about what is known to have ended meanwhile. Two may be
    under way at a time, and the slower one must not undo what the other found. A bank that really
    returns a refund says so of its own accord."""
    asked = answer.operation == "inquire" and answer.callback == 0
    return asked and answer.outcome != "approved" and not child.is_reserved


def ask_now(story: Story, _what: What) -> Changes:
    """Ask the bank at once what became of the payment's attempt."""
    story.ask(requests.inquire(story.payment, _next(story)))
    return {}


def ask_about(story: Story, child: Child) -> None:
    """Ask the bank at once what became of the child's call."""
    story.ask(requests.child_inquiry(story.payment, child, _next(story)))


def _next(story: Story) -> int:
    """The number of the next question by hand. Raises Refused when there were too many."""
    asked = story.payment.asked_by_hand
    if asked >= BY_HAND_MAX:
        raise Refused(
            "too_many_inquiries", f"The bank was asked {BY_HAND_MAX} times by hand; that is all."
        )
    story.change(asked_by_hand=asked + 1)
    return BY_HAND_FROM + asked + 1


class Inquiry(BaseModel):
    """A question that an operator put to a bank; its answer is another command on the log."""

    object: Literal["inquiry"] = "inquiry"
    payment_id: str
    child_id: str | None = Field(description="The capture, refund … in doubt; null: the payment.")
    about: BankCall = Field(description="The call that the bank left in doubt.")
    attempt_id: str = Field(description="The attempt that the bank is asked about.")
    look: int = Field(description="The number of the question; those by hand begin at 101.")
    reason: str
    livemode: bool
    created_at: str


def inquiry_of(story: Story, command: InquirePayment) -> bytes:
    """The question that the decision sent out, as its operator is answered and the operation
    keeps it."""
    request = story.requests[-1].request
    assert isinstance(request, AcquirerRequest)  # noqa: S101  the rows of `inquire` say so
    asked = Inquiry(
        payment_id=story.payment.id,
        child_id=command.child_id,
        about=request.about,
        attempt_id=request.attempt_id,
        look=request.look,
        reason=command.reason,
        livemode=story.payment.mode == "live",
        created_at=iso(story.at_ms),
    )
    return asked.model_dump_json().encode()
