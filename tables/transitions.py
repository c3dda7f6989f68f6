"""What may happen to a payment: one table from which decisions, docs and tests are made."""

from __future__ import annotations

from collections import defaultdict
from typing import Literal, NamedTuple

from headgate.streams.facts import FactType, State

Trigger = Literal[
    "create", "dispatched", "risk_refused",
    "cancel", "reverse", "capture", "refund", "increment",
    "authenticated", "not_authenticated",
    "inquire",
    "challenged", "approved", "partly_approved", "declined", "unknown", "no_news", "window_ended",
    "hold_ended", "capture_due", "action_ended",
    "capture_succeeded", "capture_failed", "void_succeeded", "void_failed",
    "reversal_succeeded", "reversal_failed", "increment_succeeded",
]  # fmt: skip
"""What may happen to a payment. The last group is what a child's end means for it."""

Guard = Literal[
    "automatic", "manual", "cancel_requested", "accept_late_manual", "accept_late_automatic",
    "stands_manual", "stands_automatic", "nothing_to_release", "hold_over", "nothing_left",
    "void_by_expiry", "same_amount", "capturable", "held_and_refundable", "refundable", "deferred",
]  # fmt: skip
"""Conditions on the payment; `tables/guards.py` has each one's meaning."""

Effect = Literal[
    "none", "authorize", "challenge", "authorize_again", "approve", "fail", "look_again", "ask_now",
    "reverse", "request_cancel", "void", "capture", "capture_due", "refund", "defer_refund",
    "increment", "reverse_all", "bar", "release", "stand",
]  # fmt: skip
"""What a transition does besides telling facts; `tables/effects.py` has each one."""


class Step(NamedTuple):
    """A fact and the state that it tells; None leaves the state as it is."""

    fact: FactType
    state: State | None = None


class Transition(NamedTuple):
    """One row. Of the rows of a state and trigger the first one whose guard holds counts."""

    row: str
    """Its number in the specification's table (02 §8.1); letters tell variants apart."""
    sources: tuple[State | None, ...]
    """None: there is no payment yet."""
    trigger: Trigger
    guard: Guard | None
    steps: tuple[Step, ...]
    effect: Effect
    why: str
    waits_for: str | None = None
    """What has to exist before any command leads here."""

    @property
    def target(self) -> State | None:
        """The state behind the last step that tells one; None: the same."""
        told = [step.state for step in self.steps if step.state]
        return told[-1] if told else None


_ASKED: tuple[State, ...] = ("processing", "in_doubt")
_OPEN: tuple[State, ...] = ("processing", "in_doubt", "requires_action")
_HELD: tuple[State, ...] = ("authorized", "partially_captured")
_PAID: tuple[State, ...] = ("captured", "partially_captured")
_OVER: tuple[State, ...] = ("failed", "canceled", "expired")

_AUTHORIZED = (Step("payment.authorized", "authorized"), Step("payment.success"))
_CAPTURED = (
    Step("payment.authorized", "authorized"),
    Step("payment.captured", "captured"),
    Step("payment.success"),
)
_FAILED = (Step("payment.failed", "failed"),)
_CANCELED = (Step("payment.canceled", "canceled"),)
_REFUND = (Step("refund.created"), Step("refund.submitted"))
_ROOM = Step("payment.amount_capturable_updated")

TRANSITIONS: tuple[Transition, ...] = (
    Transition("1", (None,), "create", None,
               (Step("payment.created", "created"), Step("payment.pending")), "none",
               "a merchant asks for it"),
    Transition("2", ("created",), "dispatched", None,
               (Step("payment.processing", "processing"),), "authorize",
               "the bank is asked in the same decision, so nothing fits in between"),
    Transition("3", ("created",), "risk_refused", None, _FAILED, "none",
               "risk rules refuse it before the bank is asked", waits_for="risk rules"),
    Transition("4", ("created", "requires_action"), "cancel", None, _CANCELED, "none",
               "nothing is held yet"),
    Transition("4r", ("created", "requires_action"), "reverse", None, _CANCELED, "none",
               "as a cancel"),
    Transition("5c", _ASKED, "challenged", "cancel_requested", _CANCELED, "none",
               "the customer need not answer any more"),
    Transition("5", _ASKED, "challenged", None,
               (Step("payment.requires_action", "requires_action"),), "challenge",
               "the bank asks the customer: 3-D Secure, UPI collect"),
    Transition("5u", ("requires_action",), "unknown", None, (), "look_again",
               "the customer has not answered yet"),
    Transition("6", ("requires_action",), "authenticated", None,
               (Step("payment.processing", "processing"),), "authorize_again",
               "the customer is back, and the bank is asked again"),
    Transition("6p", ("requires_action",), "partly_approved", None,
               (*_FAILED, Step("reversal.created"), Step("payment.reversal_sent")),
               "reverse", "the customer said yes, but the bank not to all of it"),
    Transition("6m", ("requires_action",), "approved", "manual",
               (Step("payment.processing", "processing"), *_AUTHORIZED), "approve",
               "the customer said yes in an app of the bank's"),
    Transition("6a", ("requires_action",), "approved", "automatic",
               (Step("payment.processing", "processing"), *_CAPTURED), "approve",
               "the same, captured with the approval"),
    Transition("7", ("requires_action",), "not_authenticated", None, _FAILED, "fail",
               "the customer failed to prove who they are"),
    Transition("7d", ("requires_action",), "declined", None, _FAILED, "fail",
               "the customer or the bank said no"),
    Transition("7t", ("requires_action",), "action_ended", None, _FAILED, "fail",
               "the customer's time is over"),
    Transition("18s", _ASKED, "approved", "cancel_requested",
               (Step("reversal.created"), Step("payment.reversal_sent")), "reverse",
               "approved although cancelled meanwhile: the money goes back"),
    Transition("18p", _ASKED, "partly_approved", "cancel_requested",
               (Step("reversal.created"), Step("payment.reversal_sent")), "reverse",
               "the same for a part"),
    Transition("8p", _ASKED, "partly_approved", None,
               (*_FAILED, Step("reversal.created"), Step("payment.reversal_sent")),
               "reverse", "the bank approved less, and the merchant takes all or nothing"),
    Transition("8", ("processing",), "approved", "manual", _AUTHORIZED, "approve",
               "the bank holds the money"),
    Transition("9", ("processing",), "approved", "automatic", _CAPTURED, "approve",
               "the bank took the money"),
    Transition("10", ("processing",), "declined", None, _FAILED, "fail", "the bank refused"),
    Transition("11", ("processing",), "unknown", None,
               (Step("payment.in_doubt", "in_doubt"),), "look_again",
               "no answer: the bank is asked what became of it, never charged again"),
    Transition("11u", ("in_doubt",), "unknown", None, (), "look_again", "still no answer"),
    Transition("11h", ("in_doubt",), "inquire", None, (), "ask_now",
               "an operator asks out of turn; it is asked in its turn all the same"),
    Transition("11n", ("in_doubt", "requires_action"), "no_news", None, (), "none",
               "asked by hand, and still no answer"),
    Transition("12m", ("in_doubt",), "approved", "manual", _AUTHORIZED, "approve",
               "the inquiry found it approved"),
    Transition("12a", ("in_doubt",), "approved", "automatic", _CAPTURED, "approve",
               "the same, captured with the approval"),
    Transition("13", ("in_doubt",), "declined", None, _FAILED, "fail",
               "the inquiry found it refused, or nothing"),
    Transition("14", ("processing", "in_doubt", "requires_action"), "window_ended", None,
               (*_FAILED, Step("reversal.created"), Step("payment.reversal_sent")),
               "reverse", "the bank could not tell in time: whatever it did is undone"),
    Transition("16m", ("failed",), "approved", "accept_late_manual",
               (Step("payment.late_authorized"), *_AUTHORIZED), "approve",
               "approved after it had failed, and the merchant takes it all the same"),
    Transition("16a", ("failed",), "approved", "accept_late_automatic",
               (Step("payment.late_authorized"), *_CAPTURED), "approve",
               "the same, captured with the approval"),
    Transition("15", _OVER, "approved", None,
               (Step("payment.late_authorized"), Step("reversal.created"),
                Step("payment.reversal_sent")), "reverse",
               "approved after it had ended: the money goes back"),
    Transition("15p", _OVER, "partly_approved", None,
               (Step("payment.late_authorized"), Step("reversal.created"),
                Step("payment.reversal_sent")), "reverse", "the same for a part"),
    Transition("17r", _ASKED, "cancel", "cancel_requested", (), "none", "it was asked before"),
    Transition("17", _ASKED, "cancel", None, (Step("payment.cancel_requested"),),
               "request_cancel", "the bank has the question: an approval will be reversed"),
    Transition("17s", _ASKED, "reverse", "cancel_requested", (), "none", "it was asked before"),
    Transition("17v", _ASKED, "reverse", None, (Step("payment.cancel_requested"),),
               "request_cancel", "as a cancel"),
    Transition("18", _ASKED, "reversal_succeeded", "cancel_requested", _CANCELED, "none",
               "the approval was reversed"),
    Transition("18m", _ASKED, "reversal_failed", "stands_manual", _AUTHORIZED, "stand",
               "the approval could not be reversed: it stands"),
    Transition("18a", _ASKED, "reversal_failed", "stands_automatic", _CAPTURED, "stand",
               "the same, captured with the approval"),
    Transition("19c", _HELD, "increment", None, (Step("increment.created"),), "increment",
               "the bank is asked to hold more"),
    Transition("19", _HELD, "increment_succeeded", None, (_ROOM,), "none",
               "the bank holds more"),
    Transition("20c", _HELD, "capture", None, (Step("capture.created"),), "capture",
               "reserved, and the bank is asked"),
    Transition("20n", ("captured",), "capture", "same_amount", (), "none",
               "it is captured already, as asked"),
    Transition("21", _HELD, "capture_succeeded", "nothing_left",
               (Step("payment.captured", "captured"),), "none",
               "the last capture, or everything that was held"),
    Transition("20x", _HELD, "capture_succeeded", "hold_over",
               (Step("payment.partially_captured", "partially_captured"), Step("void.created")),
               "release", "the hold had ended meanwhile: the rest is let go"),
    Transition("20", _HELD, "capture_succeeded", None,
               (Step("payment.partially_captured", "partially_captured"),), "none",
               "more can be captured, or another capture is under way"),
    Transition("21f", ("partially_captured",), "capture_failed", "nothing_left",
               (Step("payment.captured", "captured"),), "none",
               "the last capture is done, and this one before it failed"),
    Transition("20y", _HELD, "capture_failed", "hold_over", (_ROOM, Step("void.created")),
               "release", "the hold had ended meanwhile: its amount is let go"),
    Transition("20f", _HELD, "capture_failed", None, (_ROOM,), "none",
               "its amount can be captured again"),
    Transition("22c", _HELD, "cancel", None, (Step("void.created"),), "void",
               "the bank is asked to let go"),
    Transition("24", ("authorized",), "void_succeeded", "void_by_expiry",
               (Step("payment.expired", "expired"),), "none", "the hold ended uncaptured"),
    Transition("22", ("authorized",), "void_succeeded", "nothing_left", _CANCELED, "none",
               "everything was let go, nothing was captured"),
    Transition("23", ("partially_captured",), "void_succeeded", "nothing_left",
               (Step("payment.captured", "captured"),), "none",
               "the rest was let go, by hand or because its hold ended (row 25)"),
    Transition("22p", _HELD, "void_succeeded", None, (_ROOM,), "none", "a part was let go"),
    Transition("22x", _HELD, "void_failed", "hold_over", (_ROOM, Step("void.created")), "release",
               "the hold had ended meanwhile: its amount is let go all the same"),
    Transition("22f", _HELD, "void_failed", None, (_ROOM,), "none",
               "its amount is still held"),
    Transition("24w", _HELD, "hold_ended", "nothing_to_release", (_ROOM,), "bar",
               "captures under way end first; nothing new begins"),
    Transition("24c", _HELD, "hold_ended", None, (_ROOM, Step("void.created")), "release",
               "the hold's time is over: the bank is told"),
    Transition("26", ("authorized",), "capture_due", "capturable", (Step("capture.created"),),
               "capture_due", "the time that the merchant set"),
    Transition("27v", ("partially_captured",), "reverse", "held_and_refundable",
               (Step("void.created"), *_REFUND), "reverse_all",
               "the rest is let go and what was taken is given back"),
    Transition("27w", ("partially_captured",), "reverse", "refundable", _REFUND, "reverse_all",
               "nothing is held any more: what was taken is given back"),
    Transition("22r", _HELD, "reverse", None, (Step("void.created"),), "reverse_all",
               "nothing was taken: it is let go"),
    Transition("27r", ("captured",), "reverse", None, _REFUND, "reverse_all",
               "everything that is left is given back"),
    Transition("27d", _PAID, "refund", "deferred", (Step("refund.created"),), "defer_refund",
               "reserved; the bank is asked at the time that the merchant set"),
    Transition("27", _PAID, "refund", None, _REFUND, "refund", "reserved, and the bank is asked"),
)  # fmt: skip
"""The whole machine. Whatever is not here is refused and changes nothing."""

_BY_PLACE: dict[tuple[State | None, Trigger], list[Transition]] = defaultdict(list)
for _row in TRANSITIONS:
    for _source in _row.sources:
        _BY_PLACE[_source, _row.trigger].append(_row)


def rows(state: State | None, trigger: Trigger) -> list[Transition]:
    """The rows for what happened in a state, first to last."""
    return _BY_PLACE.get((state, trigger), [])


def arrows() -> dict[tuple[State | None, State], list[Trigger]]:
    """What leads from one state to another; None is where every payment begins."""
    found: dict[tuple[State | None, State], list[Trigger]] = {}
    for row in TRANSITIONS:
        if row.target is None or row.waits_for:
            continue
        for source in row.sources:
            triggers = found.setdefault((source, row.target), [])
            if row.trigger not in triggers:
                triggers.append(row.trigger)
    return {pair: triggers for pair, triggers in found.items() if pair[0] != pair[1]}
