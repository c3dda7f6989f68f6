"""Children in the making: captures, voids, refunds and increments that a command asks for."""

from __future__ import annotations

from typing import Any

from headgate.streams import ids
from headgate.streams.commands import (
    CancelPayment,
    CapturePayment,
    ChildKind,
    IncrementPayment,
    RefundPayment,
    ReversePayment,
)
from headgate.streams.facts import FactType
from headgate.streams.frozen import but
from headgate.streams.money import AMOUNT_MAX
from headgate.tables import requests
from headgate.tables.children import CHILDREN_MAX, Cause, Child
from headgate.tables.payment import Payment
from headgate.tables.story import Change, Changes, Refused, Story, What


def made(story: Story, kind: ChildKind, amount: int, cause: Cause, **members: Any) -> Child:
    """A new child whose call to the bank leaves with the decision (08 R11)."""
    child = _child(story, kind, amount, cause, state="submitted", **members)
    story.ask(requests.child_call(story.payment, child))
    return child


def _child(story: Story, kind: ChildKind, amount: int, cause: Cause, **members: Any) -> Child:
    child_id = ids.child_id(kind, story.cause)
    return Child(
        id=child_id,
        kind=kind,
        amount=amount,
        cause=cause,
        attempt_id=ids.attempt_id(child_id, 1),
        request_id=story.request.id,
        idempotency_key=story.request.idempotency_key,
        created_at_ms=story.at_ms,
        **members,
    )


def _room_for_a_child(payment: Payment) -> None:
    if len(payment.children) >= CHILDREN_MAX:
        raise Refused(
            "too_many_children",
            f"The payment has {CHILDREN_MAX} captures, voids, refunds and the like; no more fit.",
        )


def capture(story: Story, what: What) -> Changes:
    """Reserve, and ask the bank to take held money."""
    assert isinstance(what, CapturePayment)  # noqa: S101  the table says so
    payment, left = story.payment, story.payment.capturable
    _room_for_a_child(payment)
    if payment.hold_expired:
        raise Refused("authorization_expired", "The authorisation has expired.")
    if left == 0:
        raise Refused("payment_not_capturable", "Payment not in capturable state: nothing is left.")
    amount = what.amount or left
    if amount > left:
        raise Refused(
            "capture_exceeds_authorized",
            f"Capture amount exceeds what can be captured: {amount} asked, {left} left.",
            "amount",
        )
    return {
        "capture.created": Change(
            child=made(story, "capture", amount, "client", final=what.final or amount == left)
        )
    }


def capture_due(story: Story, _what: What) -> Changes:
    """Take everything at the time that the merchant set."""
    left = story.payment.capturable
    return {"capture.created": Change(child=made(story, "capture", left, "capture_at", final=True))}


def void(story: Story, what: What) -> Changes:
    """Reserve, and ask the bank to let go of held money."""
    assert isinstance(what, CancelPayment)  # noqa: S101  the table says so
    payment, left = story.payment, story.payment.capturable
    _room_for_a_child(payment)
    if left == 0:
        raise Refused("payment_not_cancelable", "Nothing is held that could be canceled.")
    amount = what.amount or left
    if amount > left:
        raise Refused(
            "void_exceeds_capturable",
            f"The amount exceeds what is held: {amount} asked, {left} held.",
            "amount",
        )
    child = made(story, "void", amount, "client", reason=what.reason)
    return {"void.created": Change(child=child)}


def release(story: Story, _what: What) -> Changes:
    """Let go of the rest of a hold that has ended."""
    story.change(hold_expired=True)
    return {"void.created": Change(child=made(story, "void", story.payment.held, "hold_expiry"))}


def bar(_story: Story, _what: What) -> Changes:
    """Let nothing new begin on a hold that has ended."""
    return {"payment.amount_capturable_updated": Change({"hold_expired": True})}


def refund(story: Story, what: What) -> Changes:
    """Reserve, and ask the bank to give captured money back."""
    assert isinstance(what, RefundPayment)  # noqa: S101  the table says so
    return _refunded(story, _refund_amount(story.payment, what), what.reason)


def _refunded(story: Story, amount: int, reason: str | None) -> Changes:
    child = _child(story, "refund", amount, "client", state="requested", reason=reason)
    story.ask(requests.child_call(story.payment, child))
    submitted = but(child, state="submitted")
    return {"refund.created": Change(child=child), "refund.submitted": Change(child=submitted)}


def defer_refund(story: Story, what: What) -> Changes:
    """Reserve now, ask the bank later."""
    assert isinstance(what, RefundPayment)  # noqa: S101  the table says so
    child = _child(
        story,
        "refund",
        _refund_amount(story.payment, what),
        "client",
        state="requested",
        reason=what.reason,
        submit_at_ms=what.submit_at_ms,
    )
    story.ask(requests.timer(story.payment, "refund", story.cause, child.id), what.submit_at_ms)
    return {"refund.created": Change(child=child)}


def _refund_amount(payment: Payment, asked: RefundPayment) -> int:
    _room_for_a_child(payment)
    left = payment.refundable
    amount = asked.amount or left
    if amount > left or left == 0:
        raise Refused(
            "refund_exceeds_refundable",
            f"Refund amount exceeds available amount: {asked.amount or 'all'} asked, {left} left.",
            "amount",
        )
    return amount


def increment(story: Story, what: What) -> Changes:
    """Ask the bank to hold more."""
    assert isinstance(what, IncrementPayment)  # noqa: S101  the table says so
    payment = story.payment
    _room_for_a_child(payment)
    if payment.hold_expired or payment.last_capture_asked:
        raise Refused("payment_not_incrementable", "The hold has ended or is being used up.")
    asked = payment.amount_authorized + payment.pending("increment") + what.amount
    if asked > AMOUNT_MAX:
        raise Refused(
            "amount_too_large", f"The hold would be {asked}; {AMOUNT_MAX} is the most.", "amount"
        )
    return {"increment.created": Change(child=made(story, "increment", what.amount, "client"))}


def reverse_all(story: Story, what: What) -> Changes:
    """Let go of what is held and give back what was taken."""
    assert isinstance(what, ReversePayment)  # noqa: S101  the table says so
    payment = story.payment
    _room_for_a_child(payment)
    held, taken = payment.capturable, payment.refundable
    if held + taken == 0:
        raise Refused("payment_not_cancelable", "Nothing is left to reverse.")
    changes: dict[FactType, Change] = {}
    if held:
        child = made(story, "void", held, "client", reason=what.reason)
        changes["void.created"] = Change(child=child)
    if taken:
        changes |= _refunded(story, taken, what.reason)
    return changes
