"""What happens to a capture, void, refund, reversal or increment, and what it means for the
payment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

from headgate.streams.commands import (
    AcquirerAnswer,
    CancelRefund,
    Command,
    InquirePayment,
    ResolvePayment,
)
from headgate.streams.facts import Request
from headgate.streams.frozen import but
from headgate.tables import inquiries, requests
from headgate.tables.children import Child, ChildStep, ChildTrigger, child_step, fact_of
from headgate.tables.payment import Payment
from headgate.tables.results import result_of
from headgate.tables.story import Decision, Refused, Story, What
from headgate.tables.transitions import Trigger

APPROVED_TOO_LATE = "approved_too_late"
"""The refusal of an approval whose child has ended otherwise: money moved that the merchant was
told did not, so somebody must look at it."""

Advance = Callable[[Story, Trigger, What], bool]
"""Follows the payment's own table when a child has ended."""


def decide_child(story: Story, child_id: str, command: Command, advance: Advance) -> Decision:
    """The decision about a command that is about a child. Raises Refused."""
    child = story.payment.child(child_id)
    if child is None:
        raise Refused(*_unknown(command))
    trigger = _trigger(child, command)
    step = child_step(child, trigger)
    if step is None or (isinstance(command, AcquirerAnswer) and inquiries.is_late(child, command)):
        raise Refused(*_not_now(child, command))
    if isinstance(command, AcquirerAnswer):
        story.request = Request(id=child.request_id, idempotency_key=child.idempotency_key)
    _move(story, _Moved(child, _after(child, step, command, story.at_ms), step, command), advance)
    return story.decided(result_of(story, command))


class _Moved(NamedTuple):
    """A child before and after, and why."""

    before: Child
    after: Child
    step: ChildStep
    command: Command


def _unknown(command: Command) -> tuple[str, str]:
    if isinstance(command, AcquirerAnswer):
        return "attempt_unknown", "The payment has no such attempt."
    return "resource_missing", "The payment has no such capture, void or refund."


def _not_now(child: Child, command: Command) -> tuple[str, str]:
    if isinstance(command, CancelRefund):
        return "refund_not_cancelable", f"The refund is {child.state} and cannot be canceled."
    if isinstance(command, ResolvePayment):
        return "child_not_in_review", f"It is {child.state}: only what needs review is resolved."
    if isinstance(command, InquirePayment):
        return "not_in_doubt", f"The {child.kind} is {child.state}: there is nothing to ask."
    approved = isinstance(command, AcquirerAnswer) and command.outcome == "approved"
    if approved and child.state != "succeeded":
        return APPROVED_TOO_LATE, f"The bank approved what was {child.state}."
    return "attempt_answered", f"It is {child.state} already."


def _trigger(child: Child, command: Command) -> ChildTrigger:
    if isinstance(command, CancelRefund):
        return "cancel"
    if isinstance(command, ResolvePayment):
        return "resolved_succeeded" if command.outcome == "succeeded" else "resolved_failed"
    if isinstance(command, InquirePayment):
        return "inquire"
    if not isinstance(command, AcquirerAnswer):
        return "due"
    if command.outcome in ("unknown", "challenged"):
        return inquiries.silence(command)
    return "approved" if command.outcome == "approved" else "declined"


def _after(child: Child, step: ChildStep, command: Command, at_ms: int) -> Child:
    change: dict[str, Any] = {"state": step.target}
    if step.target in ("succeeded", "failed", "canceled"):
        change["processed_at_ms"] = at_ms
    if isinstance(command, AcquirerAnswer) and step.trigger in ("approved", "declined"):
        change |= {
            "acquirer_reference": command.reference,
            "decline_code": command.decline_code,
            "advice_code": command.advice_code,
        }
    if isinstance(command, ResolvePayment):
        change["evidence"] = command.evidence
    return but(child, **change)


def _move(story: Story, moved: _Moved, advance: Advance) -> None:
    before, after, step, command = moved
    story.put(after)
    members = _amounts(story.payment, before, after)
    if step.tells:
        story.tell(fact_of(after.kind, step.tells), **members)
    if step.trigger == "due":
        story.ask(requests.child_call(story.payment, after))
    if step.trigger == "inquire":
        inquiries.ask_about(story, after)
    if step.trigger == "unknown" and isinstance(command, AcquirerAnswer):
        inquiry = requests.child_inquiry(story.payment, after, command.look + 1)
        story.ask(inquiry, story.at_ms + requests.INQUIRY_DELAYS_MS[command.look])
    ended = f"{after.kind}_{after.state}"
    if ended in _TRIGGERS and before.state != after.state:
        advance(story, _TRIGGERS[ended], after)


_TRIGGERS: dict[str, Trigger] = {name: name for name in get_args(Trigger)}
"""The payment's triggers by name; not every end of a child is one."""

_SUMS = {
    "capture": "amount_captured",
    "void": "amount_voided",
    "refund": "amount_refunded",
    "increment": "amount_authorized",
}
"""Which of the payment's amounts a child that succeeded adds to. A reversal adds to none: it is
outside `amount_refunded` (08 R22)."""


def _amounts(payment: Payment, before: Child, after: Child) -> dict[str, int]:
    """The money that moved with the bank's word (08 R20)."""
    name = _SUMS.get(after.kind)
    if name is None or before.state == after.state:
        return {}
    total: int = getattr(payment, name)
    if after.state == "succeeded":
        return {name: total + after.amount}
    return {name: total - after.amount} if before.state == "succeeded" else {}
