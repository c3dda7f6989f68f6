"""The table of transitions, pair by pair: what each command does to a payment in each state."""

from __future__ import annotations

from typing import get_args

import pytest

from headgate.streams import ids
from headgate.streams.commands import AcquirerRequest, Card, Outcome
from headgate.streams.facts import State, Status
from headgate.tables.payment import OPEN_STATES, STATUS_OF, Payment
from headgate.tables.payments import INQUIRY_DELAYS_MS, Decision, decide
from tests.unit.builders import AT_MS, an_answer, create, processing

LATER_MS = AT_MS + 5000
STATES: tuple[State, ...] = get_args(State)
ANSWERABLE: tuple[State, ...] = ("processing", "in_doubt")
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


def kinds(decision: Decision) -> list[str]:
    """The types of the facts that were told."""
    return [fact.type for fact in decision.facts]


def refused(decision: Decision) -> str | None:
    """The code of the refusal; a refusal tells, asks and makes nothing."""
    if decision.refusal is not None:
        assert (decision.facts, decision.requests, decision.children) == ((), (), ())
    return decision.refusal and decision.refusal.code


def in_state(state: State, **change: object) -> Payment:
    """A payment as it would stand in `state`."""
    return processing().model_copy(update={"state": state, **change})


# What a create does


def test_a_create_makes_a_payment_that_is_already_on_its_way_to_the_bank() -> None:
    """08 R11: request published = processing; nothing can be cancelled in between."""
    decision = decide(None, create(), AT_MS)
    assert kinds(decision) == ["payment.created", "payment.pending", "payment.processing"]
    assert [fact.data.payment.state for fact in decision.facts] == [
        "created",
        "created",
        "processing",
    ]
    assert [fact.sequence for fact in decision.facts] == [1, 2, 3]
    assert decision.refusal is None


def test_a_create_asks_the_bank_once_with_a_derived_attempt() -> None:
    command = create()
    [outgoing] = decide(None, command, AT_MS).requests
    assert outgoing.not_before_ms is None
    assert isinstance(outgoing.request, AcquirerRequest)
    assert outgoing.request.type == "authorize"
    assert outgoing.request.look == 0
    assert outgoing.request.attempt_id == ids.attempt_id(command.command_id, 1)
    assert (outgoing.request.amount, outgoing.request.currency) == (50_000, "INR")


def test_a_new_payment_is_what_was_asked_for() -> None:
    card = Card(brand="visa", last4="4242", expiry_month=1, expiry_year=2031, fingerprint="fp")
    command = create(
        method="card",
        vpa=None,
        card=card,
        scenario="decline",
        capture_method="manual",
        description="Two lamps",
        metadata={"cart": "7"},
    )
    payment = decide(None, command, AT_MS).payment
    assert payment is not None
    asked = command.model_dump(
        exclude={"v", "type", "command_id", "payment_id", "fingerprint"}, exclude_none=True
    )
    assert payment.model_dump(include=set(asked)) == asked
    assert payment.id == command.payment_id
    assert (payment.version, payment.sequence) == (1, 3)
    assert payment.created_at_ms == payment.updated_at_ms == AT_MS


@pytest.mark.parametrize("state", STATES)
def test_a_create_for_a_payment_that_exists_is_refused_in_every_state(state: State) -> None:
    payment = in_state(state)
    decision = decide(payment, create(amount=1), LATER_MS)
    assert (decision.payment, refused(decision)) == (payment, "payment_exists")


# What a bank's answer does


def test_an_answer_for_a_payment_that_nobody_created_is_refused_without_a_trace() -> None:
    decision = decide(None, an_answer("approved"), AT_MS)
    assert (decision.payment, refused(decision)) == (None, "payment_unknown")


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("state", STATES)
def test_an_answer_to_another_attempt_is_refused_in_every_state(
    state: State, outcome: Outcome
) -> None:
    payment = in_state(state)
    stray = an_answer(outcome, attempt_id=ids.attempt_id("cmd_other", 1))
    decision = decide(payment, stray, LATER_MS)
    assert (decision.payment, refused(decision)) == (payment, "attempt_unknown")


@pytest.mark.parametrize("state", ANSWERABLE)
def test_an_approval_authorizes_captures_and_succeeds(state: State) -> None:
    decision = decide(in_state(state), an_answer("approved"), LATER_MS)
    assert kinds(decision) == ["payment.authorized", "payment.captured", "payment.success"]
    payment = decision.payment
    assert payment is not None
    assert (payment.state, payment.status) == ("captured", "success")
    assert (payment.amount_authorized, payment.amount_captured) == (50_000, 50_000)
    assert payment.acquirer_reference == "bank_1"
    assert payment.updated_at_ms == LATER_MS
    assert not decision.requests


@pytest.mark.parametrize("state", ANSWERABLE)
def test_an_approval_of_a_manual_payment_waits_for_its_capture(state: State) -> None:
    payment = in_state(state, capture_method="manual")
    decision = decide(payment, an_answer("approved"), LATER_MS)
    assert kinds(decision) == ["payment.authorized", "payment.success"]
    assert decision.payment is not None
    assert decision.payment.state == "authorized"
    assert (decision.payment.amount_authorized, decision.payment.amount_captured) == (50_000, 0)
    assert not decision.facts[-1].data.payment.captured


@pytest.mark.parametrize("outcome", ["declined", "not_found"])
@pytest.mark.parametrize("state", ANSWERABLE)
def test_a_refusal_of_the_bank_fails_the_payment_with_its_reasons(
    state: State, outcome: Outcome
) -> None:
    answer = an_answer(outcome, decline_code="insufficient_funds", advice_code="try_again_later")
    decision = decide(in_state(state), answer, LATER_MS)
    assert kinds(decision) == ["payment.failed"]
    shown = decision.facts[0].data.payment
    assert (shown.status, shown.state) == ("failed", "failed")
    assert (shown.error_code, shown.error_description) == (
        "PAYMENT_FAILED",
        "Bank rejected transaction",
    )
    assert (shown.decline_code, shown.advice_code) == ("insufficient_funds", "try_again_later")
    assert (shown.amount_authorized, shown.amount_captured) == (0, 0)


def test_no_answer_puts_the_payment_in_doubt_and_asks_again_in_a_second() -> None:
    decision = decide(processing(), an_answer("unknown"), LATER_MS)
    assert kinds(decision) == ["payment.in_doubt"]
    assert decision.payment is not None
    assert (decision.payment.state, decision.payment.status) == ("in_doubt", "pending")
    [inquiry] = decision.requests
    assert isinstance(inquiry.request, AcquirerRequest)
    assert (inquiry.request.type, inquiry.request.look) == ("inquire", 1)
    assert inquiry.request.attempt_id == processing().attempt_id
    assert inquiry.not_before_ms == LATER_MS + 1000


@pytest.mark.parametrize("look", range(1, len(INQUIRY_DELAYS_MS)))
def test_a_payment_in_doubt_is_asked_after_again_and_tells_nothing_new(look: int) -> None:
    decision = decide(in_state("in_doubt"), an_answer("unknown", look), LATER_MS)
    assert not decision.facts
    [inquiry] = decision.requests
    assert isinstance(inquiry.request, AcquirerRequest)
    assert inquiry.request.look == look + 1
    assert inquiry.not_before_ms == LATER_MS + INQUIRY_DELAYS_MS[look]


def test_after_the_last_look_the_attempt_is_reversed_and_the_payment_fails() -> None:
    """02 §8.1 row 14: whatever the bank did is undone."""
    last = len(INQUIRY_DELAYS_MS)
    decision = decide(in_state("in_doubt"), an_answer("unknown", last), LATER_MS)
    assert kinds(decision) == ["payment.failed", "reversal.created", "payment.reversal_sent"]
    [outgoing] = decision.requests
    [reversal] = decision.children
    assert isinstance(outgoing.request, AcquirerRequest)
    assert outgoing.request.type == "reversal"
    assert outgoing.request.attempt_id == reversal.attempt_id
    assert outgoing.request.payment_attempt_id == processing().attempt_id
    assert decision.payment is not None
    assert (decision.payment.state, decision.payment.decline_code) == (
        "failed",
        "issuer_unavailable",
    )


def test_the_looks_are_those_of_the_specification() -> None:
    assert [ms // 1000 for ms in INQUIRY_DELAYS_MS] == [
        1, 3, 10, 30, 120, 600, 3600, 21_600, 86_400,
    ]  # fmt: skip


def test_a_payment_is_never_charged_twice_however_often_the_bank_is_silent() -> None:
    payment, asked = processing(), []
    for look in range(len(INQUIRY_DELAYS_MS) + 1):
        decision = decide(payment, an_answer("unknown", look), LATER_MS)
        assert decision.payment is not None
        payment = decision.payment
        asked += [outgoing.request.type for outgoing in decision.requests]
    assert asked == [*["inquire"] * len(INQUIRY_DELAYS_MS), "reversal"]


# The vocabulary


def test_every_state_has_a_coarse_word_and_final_ones_are_not_open() -> None:
    assert set(STATUS_OF) == set(STATES)
    assert set(STATUS_OF.values()) == set(get_args(Status))
    assert set(STATES) - OPEN_STATES == {"captured", "failed", "canceled", "expired"}
    assert [in_state(state).is_open for state in ("processing", "captured")] == [True, False]
