"""How a command changes a payment, and what it tells. Pure: no clock, no chance, no I/O."""

from __future__ import annotations

from dataclasses import replace

from headgate.streams import ids
from headgate.streams.commands import (
    AcquirerAnswer,
    AuthenticatePayment,
    CancelPayment,
    CancelRefund,
    CapturePayment,
    ClientCommand,
    Command,
    CreatePayment,
    IncrementPayment,
    InquirePayment,
    RefundPayment,
    ResolvePayment,
    ReversePayment,
    Timer,
)
from headgate.streams.facts import Request
from headgate.streams.frozen import but
from headgate.tables import inquiries
from headgate.tables.child_decisions import APPROVED_TOO_LATE, decide_child
from headgate.tables.effects import EFFECTS
from headgate.tables.guards import GUARDS
from headgate.tables.payment import Payment
from headgate.tables.refusals import refusal_of
from headgate.tables.requests import INQUIRY_DELAYS_MS
from headgate.tables.results import result_of
from headgate.tables.story import Change, Decision, Outgoing, Refusal, Refused, Story, What
from headgate.tables.transitions import Transition, Trigger, rows

__all__ = [
    "APPROVED_TOO_LATE",
    "INQUIRY_DELAYS_MS",
    "Decision",
    "Outgoing",
    "Payment",
    "Refusal",
    "decide",
]


def decide(payment: Payment | None, command: Command, at_ms: int) -> Decision:
    """What `command`, written to the log at `at_ms`, does to `payment` (None: not known yet)."""
    if isinstance(command, CreatePayment):
        return _create(payment, command, at_ms)
    if payment is None or not _belongs(payment, command):
        return Decision(None, refusal=Refusal("payment_unknown", "There is no such payment."))
    story = _story(payment, command, at_ms)
    try:
        return _kept(payment, _decided(story, command))
    except Refused as refused:
        return Decision(payment, refusal=refused.refusal)


def _belongs(payment: Payment, command: Command) -> bool:
    """Whether the payment is the asking merchant's: anybody may write to the log."""
    return (payment.merchant_id, payment.mode) == (command.merchant_id, command.mode)


def _story(payment: Payment, command: Command, at_ms: int) -> Story:
    """The story begins with the payment as it was last shown; version counts this command."""
    asked = command if isinstance(command, ClientCommand) else payment
    request = Request(id=asked.request_id, idempotency_key=asked.idempotency_key)
    moved = but(payment, version=payment.version + 1)
    return Story(moved, at_ms, command.command_id, payment.snapshot(), request)


def _decided(story: Story, command: Command) -> Decision:
    child = _child_of(story.payment, command)
    if child is not None:
        return decide_child(story, child, command, advance)
    trigger = trigger_of(story.payment, command, story.at_ms)
    row = found(story, trigger, command)
    if row is None:
        raise Refused(*refusal_of(story.payment, trigger, command))
    _apply(row, story, command)
    return story.decided(result_of(story, command))


def _kept(before: Payment, decision: Decision) -> Decision:
    """A decision that tells and asks nothing: it was so already, and the version counts only what
    changed something."""
    if decision.facts or decision.requests:
        return decision
    return replace(decision, payment=before, children=())


def _child_of(payment: Payment, command: Command) -> str | None:
    """The id of the child that the command is about, None when it is about the payment."""
    if isinstance(command, AcquirerAnswer) and command.attempt_id != payment.attempt_id:
        same = (c.id for c in payment.children if c.attempt_id == command.attempt_id)
        return next(same, "")
    if isinstance(command, CancelRefund):
        return command.refund_id
    # One whose `child_id` is None is about the payment.
    if isinstance(command, ResolvePayment | InquirePayment | Timer):
        return command.child_id
    return None


def advance(story: Story, trigger: Trigger, what: What) -> bool:
    """Follow the table if it has a row for this; whether it had one."""
    row = found(story, trigger, what)
    if row is not None:
        _apply(row, story, what)
    return row is not None


def found(story: Story, trigger: Trigger, what: What) -> Transition | None:
    """The row of the table that counts now. A payment without a version does not exist yet."""
    for row in rows(story.payment.state if story.payment.version else None, trigger):
        if row.guard is None or GUARDS[row.guard](story.payment, what, story.at_ms):
            return row
    return None


def _apply(row: Transition, story: Story, what: What) -> None:
    """Do what the row says, fact by fact."""
    changes = EFFECTS[row.effect](story, what)
    for fact, state in row.steps:
        change = changes.get(fact, _NOTHING)
        if change.child is not None:
            story.put(change.child)
        members = {**change.members, "state": state} if state else change.members
        story.tell(fact, **members)


_NOTHING = Change()


def trigger_of(payment: Payment, command: Command, at_ms: int) -> Trigger:
    """What a command means in the table's words. Raises Refused for an answer that must not
    count, or whose time has not come."""
    if isinstance(command, AcquirerAnswer):
        return _meaning(payment, command)
    if isinstance(command, AuthenticatePayment):
        return "authenticated" if command.outcome == "succeeded" else "not_authenticated"
    if isinstance(command, Timer):
        if command.timer == "action" and at_ms < (payment.expires_at_ms or 0):
            raise Refused("timer_moot", "The customer was asked again and has more time.")
        return _TIMERS[command.timer]
    if isinstance(command, CancelPayment) and command.amount not in (None, payment.amount):
        _check_partial(payment)
    return _ASKED[type(command)]


def _meaning(payment: Payment, answer: AcquirerAnswer) -> Trigger:
    if payment.approval_seen:
        raise Refused("attempt_answered", "The bank has approved this attempt before.")
    if answer.outcome == "approved":
        partial = answer.amount < payment.amount and not payment.partial_authorization
        return "partly_approved" if partial else "approved"
    if answer.outcome == "unknown" or _still_asking(payment, answer):
        return inquiries.silence(answer)
    return "challenged" if answer.outcome == "challenged" else "declined"


def _still_asking(payment: Payment, answer: AcquirerAnswer) -> bool:
    """Whether a bank that was inquired says that its customer has not answered yet."""
    waits = payment.state == "requires_action" and answer.look > 0
    return waits and answer.outcome == "challenged"


def _check_partial(payment: Payment) -> None:
    if payment.state not in ("authorized", "partially_captured"):
        raise Refused(
            "payment_not_cancelable", "Only held money can be canceled in part.", "amount"
        )


_TIMERS: dict[str, Trigger] = {
    "hold": "hold_ended",
    "capture": "capture_due",
    "action": "action_ended",
}
_ASKED: dict[type[Command], Trigger] = {
    CapturePayment: "capture",
    CancelPayment: "cancel",
    RefundPayment: "refund",
    ReversePayment: "reverse",
    IncrementPayment: "increment",
    InquirePayment: "inquire",
}


def _create(payment: Payment | None, command: CreatePayment, at_ms: int) -> Decision:
    if payment is not None:
        refusal = Refusal("payment_exists", "The payment exists; this is another request for it.")
        return Decision(payment, refusal=refusal)
    request = Request(id=command.request_id, idempotency_key=command.idempotency_key)
    story = Story(_new_payment(command, at_ms), at_ms, command.command_id, request=request)
    advance(story, "create", command)
    story.change(version=1)
    # 08 R11: the request leaves with the decision, so nothing can be cancelled in between.
    advance(story, "dispatched", command)
    return story.decided()


def _new_payment(command: CreatePayment, at_ms: int) -> Payment:
    return Payment(
        **{name: getattr(command, name) for name in _KEPT},
        id=command.payment_id,
        version=0,
        sequence=0,
        state="created",
        attempt_id=ids.attempt_id(command.command_id, 1),
        created_at_ms=at_ms,
        updated_at_ms=at_ms,
    )


_KEPT = tuple(sorted(set(Payment.model_fields) & set(CreatePayment.model_fields)))
"""What a payment keeps of its create as it was."""
