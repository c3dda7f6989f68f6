"""Every command in every state, against a matrix written from the specification (02 §8.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from headgate.streams.commands import (
    COMMAND,
    AcquirerRequest,
    AuthenticatePayment,
    CancelPayment,
    CancelRefund,
    CapturePayment,
    Command,
    IncrementPayment,
    InquirePayment,
    RefundPayment,
    ResolvePayment,
    ReversePayment,
)
from headgate.streams.facts import State
from headgate.tables.effects import EFFECTS
from headgate.tables.guards import GUARDS, GUARDS_IN_WORDS
from headgate.tables.inquiries import BY_HAND_FROM, BY_HAND_MAX, Inquiry
from headgate.tables.payment import Payment
from headgate.tables.payments import Decision, decide
from headgate.tables.refusals import REASONS
from headgate.tables.requests import INQUIRY_DELAYS_MS
from headgate.tables.transitions import TRANSITIONS, Effect, Guard, Trigger, rows
from tests.unit.builders import AT_MS, an_answer, asks, create, processing, timer

LATER_MS = AT_MS + 1000
STATES: tuple[State, ...] = get_args(State)
AMOUNT = 50_000

MATRIX = """
command            created          requires_action  processing       in_doubt         authorized       partially        captured         failed           canceled         expired
create             !exists          !exists          !exists          !exists          !exists          !exists          !exists          !exists          !exists          !exists
cancel             canceled         canceled         =                =                =                =                !cancel          !cancel          !cancel          !cancel
cancel_part        !cancel          !cancel          !cancel          !cancel          =                =                !cancel          !cancel          !cancel          !cancel
cancel_too_much    !cancel          !cancel          !cancel          !cancel          !void            !void            !cancel          !cancel          !cancel          !cancel
reverse            canceled         canceled         =                =                =                =                =                !cancel          !cancel          !cancel
capture            !capture         !capture         !capture         !capture         =                =                =                !capture         !capture         !expired
capture_part       !capture         !capture         !capture         !capture         =                =                !captured        !capture         !capture         !expired
capture_too_much   !capture         !capture         !capture         !capture         !exceeds         !exceeds         !captured        !capture         !capture         !expired
refund             !refund          !refund          !refund          !refund          !refund          =                =                !refund          !refund          !refund
refund_too_much    !refund          !refund          !refund          !refund          !refund          !refundable      !refundable      !refund          !refund          !refund
increment          !increment       !increment       !increment       !increment       =                =                !increment       !increment       !increment       !increment
authenticated      !action          processing       !action          !action          !action          !action          !action          !action          !action          !action
not_authenticated  !action          failed           !action          !action          !action          !action          !action          !action          !action          !action
challenged         !answered        !answered        requires_action  requires_action  !answered        !answered        !answered        !answered        !answered        !answered
challenged_again   !answered        =                requires_action  requires_action  !answered        !answered        !answered        !answered        !answered        !answered
approved           !answered        captured         captured         captured         !answered        !answered        !answered        =                =                =
partly_approved    !answered        failed           failed           failed           !answered        !answered        !answered        =                =                =
declined           !answered        failed           failed           failed           !answered        !answered        !answered        !answered        !answered        !answered
not_found          !answered        failed           failed           failed           !answered        !answered        !answered        !answered        !answered        !answered
unknown            !answered        =                in_doubt         =                !answered        !answered        !answered        !answered        !answered        !answered
window_ended       !answered        failed           failed           failed           !answered        !answered        !answered        !answered        !answered        !answered
inquire            !doubt           !doubt           !doubt           =                !doubt           !doubt           !doubt           !doubt           !doubt           !doubt
no_news            !answered        =                !answered        =                !answered        !answered        !answered        !answered        !answered        !answered
challenged_by_hand !answered        =                requires_action  requires_action  !answered        !answered        !answered        !answered        !answered        !answered
approved_by_hand   !answered        captured         captured         captured         !answered        !answered        !answered        =                =                =
declined_by_hand   !answered        failed           failed           failed           !answered        !answered        !answered        !answered        !answered        !answered
hold_timer         !moot            !moot            !moot            !moot            =                =                !moot            !moot            !moot            !moot
capture_timer      !moot            !moot            !moot            !moot            =                !moot            !moot            !moot            !moot            !moot
action_timer       !moot            failed           !moot            !moot            !moot            !moot            !moot            !moot            !moot            !moot
"""  # noqa: E501
"""What each command leads to: a state, `=` for taken in without a change of state (the money is at
the bank first, 08 R20), or `!` and why it is refused."""

CODES = {
    "exists": "payment_exists",
    "cancel": "payment_not_cancelable",
    "void": "void_exceeds_capturable",
    "capture": "payment_not_capturable",
    "captured": "payment_already_captured",
    "exceeds": "capture_exceeds_authorized",
    "expired": "authorization_expired",
    "refund": "payment_not_refundable",
    "refundable": "refund_exceeds_refundable",
    "increment": "payment_not_incrementable",
    "action": "payment_not_awaiting_action",
    "answered": "attempt_answered",
    "moot": "timer_moot",
    "doubt": "not_in_doubt",
}

COMMANDS: dict[str, Callable[[Payment], Command]] = {
    "create": lambda _: create(amount=1),
    "cancel": lambda p: asks(CancelPayment, p),
    "cancel_part": lambda p: asks(CancelPayment, p, amount=100),
    "cancel_too_much": lambda p: asks(CancelPayment, p, amount=AMOUNT + 1),
    "reverse": lambda p: asks(ReversePayment, p),
    "capture": lambda p: asks(CapturePayment, p),
    "capture_part": lambda p: asks(CapturePayment, p, amount=100),
    "capture_too_much": lambda p: asks(CapturePayment, p, amount=AMOUNT + 1),
    "refund": lambda p: asks(RefundPayment, p, amount=100),
    "refund_too_much": lambda p: asks(RefundPayment, p, amount=AMOUNT + 1),
    "increment": lambda p: asks(IncrementPayment, p, amount=100),
    "authenticated": lambda p: asks(AuthenticatePayment, p, outcome="succeeded"),
    "not_authenticated": lambda p: asks(AuthenticatePayment, p, outcome="failed"),
    "challenged": lambda _: an_answer("challenged"),
    "challenged_again": lambda _: an_answer("challenged", 1),
    "approved": lambda _: an_answer("approved"),
    "partly_approved": lambda _: an_answer("approved", amount=AMOUNT - 1),
    "declined": lambda _: an_answer("declined"),
    "not_found": lambda _: an_answer("not_found"),
    "unknown": lambda _: an_answer("unknown"),
    "window_ended": lambda _: an_answer("unknown", len(INQUIRY_DELAYS_MS)),
    "inquire": lambda p: asks(InquirePayment, p, reason="they call"),
    "no_news": lambda _: an_answer("unknown", BY_HAND_FROM + 1),
    "challenged_by_hand": lambda _: an_answer("challenged", BY_HAND_FROM + 1),
    "approved_by_hand": lambda _: an_answer("approved", BY_HAND_FROM + 1),
    "declined_by_hand": lambda _: an_answer("declined", BY_HAND_FROM + 1),
    "hold_timer": lambda p: timer(p, "hold"),
    "capture_timer": lambda p: timer(p, "capture"),
    "action_timer": lambda p: timer(p, "action"),
}

MONEY: dict[str, dict[str, object]] = {
    "authorized": {"amount_authorized": AMOUNT, "capture_method": "manual"},
    "partially_captured": {
        "amount_authorized": AMOUNT,
        "amount_captured": 20_000,
        "capture_method": "manual",
    },
    "captured": {"amount_authorized": AMOUNT, "amount_captured": AMOUNT},
}
"""The amounts with which a payment stands in a state."""


def in_state(state: State) -> Payment:
    """A payment that stands in `state`, with nothing at the bank."""
    return processing().model_copy(update={"state": state, **MONEY.get(state, {})})


def pairs() -> list[tuple[str, State, str]]:
    """(command, state, what is expected) of the whole matrix."""
    head, *lines = MATRIX.strip().splitlines()
    names = [name.replace("partially", "partially_captured") for name in head.split()[1:]]
    assert tuple(names) == STATES
    return [
        (line.split()[0], state, cell)
        for line in lines
        for state, cell in zip(STATES, line.split()[1:], strict=True)
    ]


@pytest.mark.parametrize(("name", "state", "expected"), pairs())
def test_what_a_command_does_in_a_state(name: str, state: State, expected: str) -> None:
    payment = in_state(state)
    decision = decide(payment, COMMANDS[name](payment), LATER_MS)
    if expected.startswith("!"):
        assert decision.refusal is not None
        assert decision.refusal.code == CODES[expected[1:]]
        assert (decision.payment, decision.facts) == (payment, ())
        assert (decision.requests, decision.children) == ((), ())
        return
    assert decision.refusal is None
    assert decision.payment is not None
    assert decision.payment.state == (state if expected == "=" else expected)


@pytest.mark.parametrize("row", [r for r in TRANSITIONS if not r.waits_for], ids=lambda r: r.row)
def test_every_row_of_the_table_can_be_reached_as_it_says(row: object) -> None:
    """No row stands behind one that always hides it."""
    assert any(row in rows(source, trigger) for source, trigger in _places(row))
    for source, trigger in _places(row):
        before = rows(source, trigger)[: rows(source, trigger).index(row)]  # type: ignore[arg-type]
        assert all(other.guard is not None for other in before)


def _places(row: object) -> list[tuple[State | None, Trigger]]:
    found = next(r for r in TRANSITIONS if r is row)
    return [(source, found.trigger) for source in found.sources]


def test_rows_have_names_of_their_own_and_name_only_what_exists() -> None:
    names = [row.row for row in TRANSITIONS]
    assert len(names) == len(set(names))
    assert set(GUARDS) == set(get_args(Guard)) == set(GUARDS_IN_WORDS)
    assert set(EFFECTS) == set(get_args(Effect))
    assert set(REASONS) == set(get_args(Trigger))
    assert {row.guard for row in TRANSITIONS} - {None} == set(GUARDS)
    assert {row.effect for row in TRANSITIONS} == set(EFFECTS)
    assert {row.trigger for row in TRANSITIONS} == set(get_args(Trigger))


def test_every_row_of_the_specification_is_in_the_table() -> None:
    """Rows 1 to 27; 25 is the same transition as 23, and is named there."""
    numbers = {int("".join(c for c in row.row if c.isdigit())) for row in TRANSITIONS}
    assert numbers == set(range(1, 28)) - {25}
    assert "row 25" in next(row.why for row in TRANSITIONS if row.row == "23")


def test_every_command_of_the_vocabulary_is_in_the_matrix() -> None:
    """A new command must come with its line; those about children have a matrix of their own."""
    payment = in_state("authorized")
    covered = {COMMANDS[name](payment).type for name in COMMANDS}
    about_children = {kind.model_fields["type"].default for kind in (CancelRefund, ResolvePayment)}
    assert covered | about_children == set(COMMAND.json_schema()["discriminator"]["mapping"])


@pytest.mark.parametrize("look", [0, 3])
def test_a_bank_that_asks_its_customer_is_inquired_from_where_it_was(look: int) -> None:
    """An inquiry that was answered before would be answered from the record, and the chain end."""
    decision = decide(in_state("in_doubt"), an_answer("challenged", look), LATER_MS)
    looks = [o.request.look for o in decision.requests if isinstance(o.request, AcquirerRequest)]
    assert looks == [look + 1]


def looks_of(decision: Decision) -> list[int]:
    """The numbers of the questions that go out."""
    asked = (outgoing.request for outgoing in decision.requests)
    return [request.look for request in asked if isinstance(request, AcquirerRequest)]


def test_a_question_by_hand_goes_out_now_and_beside_the_chain() -> None:
    """It neither takes a question of the schedule away nor adds one; a second click is a second
    question, since an answer that is on record would only be told again."""
    payment = in_state("in_doubt")
    first = decide(payment, asks(InquirePayment, payment, reason="they call"), LATER_MS)
    assert first.payment is not None
    assert (looks_of(first), first.requests[0].not_before_ms) == ([BY_HAND_FROM + 1], None)
    assert (first.facts, first.payment.state, first.payment.version) == ((), "in_doubt", 2)
    second = decide(first.payment, asks(InquirePayment, payment, "key-b", reason="again"), LATER_MS)
    assert looks_of(second) == [BY_HAND_FROM + 2]
    told = Inquiry.model_validate_json(first.result or b"")
    assert (told.look, told.reason, told.about) == (BY_HAND_FROM + 1, "they call", "authorize")

    quiet = decide(first.payment, an_answer("unknown", BY_HAND_FROM + 1), LATER_MS)
    assert (quiet.payment, quiet.facts, quiet.requests) == (first.payment, (), ())
    in_turn = decide(first.payment, an_answer("unknown", 3), LATER_MS)
    assert looks_of(in_turn) == [4]


def test_a_customer_who_is_asked_by_a_bank_that_was_asked_by_hand_starts_no_second_chain() -> None:
    decision = decide(in_state("in_doubt"), an_answer("challenged", BY_HAND_FROM + 1), LATER_MS)
    assert looks_of(decision) == []


def test_a_bank_is_asked_by_hand_only_so_often() -> None:
    payment = in_state("in_doubt").model_copy(update={"asked_by_hand": BY_HAND_MAX})
    decision = decide(payment, asks(InquirePayment, payment, reason="again"), LATER_MS)
    assert decision.refusal is not None
    assert decision.refusal.code == "too_many_inquiries"
    assert (decision.payment, decision.requests) == (payment, ())


def test_a_command_of_another_merchant_finds_no_payment() -> None:
    payment = in_state("captured")
    decision = decide(payment, asks(RefundPayment, payment, merchant_id="mer_2"), LATER_MS)
    assert decision.payment is None
    assert decision.refusal is not None
    assert decision.refusal.code == "payment_unknown"
