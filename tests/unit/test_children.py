"""Every trigger in every state of a capture, void, refund, reversal or increment (02 §8.2)."""

from __future__ import annotations

from typing import get_args

import pytest

from headgate.streams.commands import ChildKind
from headgate.streams.facts import ChildState, FactType
from headgate.tables.children import (
    CHILD_STEPS,
    FACTS,
    Cause,
    Child,
    ChildTrigger,
    child_step,
    fact_of,
)
from tests.unit.builders import AT_MS

KINDS: tuple[ChildKind, ...] = get_args(ChildKind)
STATES: tuple[ChildState, ...] = get_args(ChildState)
TRIGGERS: tuple[ChildTrigger, ...] = get_args(ChildTrigger)

SUBMITTED = {
    "approved": "succeeded",
    "declined": "failed",
    "unknown": "in_doubt",
    "window_ended": "needs_review",
}
EXPECTED: dict[str, dict[str, str]] = {
    "submitted": SUBMITTED,
    "in_doubt": {**SUBMITTED, "inquire": "in_doubt", "no_news": "in_doubt"},
    "needs_review": {
        "inquire": "needs_review",
        "no_news": "needs_review",
        "approved": "succeeded",
        "declined": "failed",
        "resolved_succeeded": "succeeded",
        "resolved_failed": "failed",
    },
}
"""Where each state goes, for every kind; written from the specification."""
OF_REFUNDS = {
    "requested": {"due": "submitted", "cancel": "canceled"},
    "succeeded": {"declined": "failed"},
}


def a_child(kind: ChildKind, state: ChildState, cause: Cause = "client") -> Child:
    """A child of 100 in a state."""
    return Child(
        id="c", kind=kind, state=state, amount=100, cause=cause, attempt_id="a", created_at_ms=AT_MS
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("trigger", TRIGGERS)
def test_what_may_happen_to_a_child(
    kind: ChildKind, state: ChildState, trigger: ChildTrigger
) -> None:
    expected = EXPECTED.get(state, {}).get(trigger)
    if kind == "refund":
        expected = expected or OF_REFUNDS.get(state, {}).get(trigger)
    step = child_step(a_child(kind, state), trigger)
    assert (step.target if step else None) == expected


@pytest.mark.parametrize("kind", ["reversal", "void"])
@pytest.mark.parametrize("state", ["submitted", "in_doubt", "needs_review"])
def test_money_that_must_go_back_and_did_not_needs_a_person_08_r23(
    kind: ChildKind, state: ChildState
) -> None:
    step = child_step(a_child(kind, state, "hold_expiry"), "declined")
    assert step is not None
    assert step.target == "needs_review"


def test_every_row_is_the_first_for_something() -> None:
    causes: tuple[Cause, ...] = ("client", "hold_expiry")
    reached = {
        child_step(a_child(kind, state, cause), trigger)
        for kind in KINDS
        for state in STATES
        for trigger in TRIGGERS
        for cause in causes
    }
    assert set(CHILD_STEPS) == reached - {None}


def test_facts_of_children_are_facts() -> None:
    known = {name for name in get_args(FactType) if not name.startswith("payment.")}
    assert set(FACTS) == known
    for step in CHILD_STEPS:
        for kind in step.kinds or KINDS:
            assert step.tells is None or fact_of(kind, step.tells) in known


@pytest.mark.parametrize("state", STATES)
def test_a_reserved_amount_is_one_whose_end_is_not_known(state: ChildState) -> None:
    child = a_child("refund", state)
    assert child.is_reserved is (child.status == "pending")


def test_a_refund_that_succeeded_is_processed_as_in_the_seed() -> None:
    assert a_child("refund", "succeeded").status == "processed"
    assert a_child("capture", "succeeded").status == "succeeded"
