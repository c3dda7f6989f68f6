"""decide() against a small model of what a payment may be: random commands, random repeats."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from headgate.streams.codec import encode
from headgate.streams.commands import (
    AcquirerRequest,
    CancelPayment,
    CancelRefund,
    CapturePayment,
    Command,
    IncrementPayment,
    InquirePayment,
    LateAuthorization,
    Outcome,
    RefundPayment,
    ResolvePayment,
    ReversePayment,
    Timer,
)
from headgate.streams.facts import Fact
from headgate.tables.children import Child
from headgate.tables.inquiries import BY_HAND_FROM
from headgate.tables.payment import Payment
from headgate.tables.payments import INQUIRY_DELAYS_MS, Decision, decide
from tests.unit.builders import AT_MS, answer_to, asks, child_answer, create, timer
from tests.unit.payments_model import Model, Part

pytestmark = pytest.mark.timeout(300)

OUTCOMES: list[Outcome] = ["approved", "declined", "unknown", "not_found"]
LAST_LOOK = len(INQUIRY_DELAYS_MS)
looks = st.sampled_from([0, 1, LAST_LOOK, BY_HAND_FROM + 1, BY_HAND_FROM + 2])
parts = st.integers(1, 60_000)


@dataclass
class Fold:
    """What settle does with decisions: a command counts once, by its id; the rest is the log."""

    payment: Payment | None = None
    decided: dict[str, Decision] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    asked: list[AcquirerRequest | Timer] = field(default_factory=list)

    def take(self, command: Command, at_ms: int) -> Decision:
        """The first decision of this command, however often it comes."""
        if command.command_id in self.decided:
            return self.decided[command.command_id]
        decision = decide(self.payment, command, at_ms)
        assert decision.payment is not None
        self.decided[command.command_id] = decision
        self.payment = decision.payment
        self.facts += decision.facts
        self.asked += [one.request for one in decision.requests]
        return decision


class Payments(RuleBasedStateMachine):
    """One payment; any order of commands, answers, timers, strays and repeats."""

    log: Bundle[tuple[Command, int]] = Bundle("log")

    def __init__(self) -> None:
        super().__init__()
        self.fold, self.model = Fold(), Model()
        self.clock_ms, self.number = AT_MS, 0
        self.history: list[tuple[Command, int]] = []

    # The log

    def key(self) -> str:
        self.number += 1
        return f"key-{self.number}"

    @property
    def payment(self) -> Payment:
        assert self.fold.payment is not None
        return self.fold.payment

    def decided(self, command: Command, *, legal: bool) -> tuple[Command, int]:
        """Hand a command in; the model has said whether it is to count."""
        self.clock_ms += 1
        decision = self.fold.take(command, self.clock_ms)
        assert (decision.refusal is None) is legal, (command, decision.refusal)
        self.history.append((command, self.clock_ms))
        for child in decision.children:
            known = self.model.parts.get(child.id)
            if known is None:
                self.model.parts[child.id] = Part(
                    child.kind, child.amount, child.final, child.cause, child.state
                )
        return command, self.clock_ms

    @initialize(
        target=log,
        amount=st.integers(1, 50_000),
        manual=st.booleans(),
        late=st.sampled_from(["refund", "accept"]),
    )
    def begin(self, amount: int, manual: bool, late: LateAuthorization) -> tuple[Command, int]:
        """A merchant asks for a payment."""
        self.create = create(
            amount=amount,
            capture_method="manual" if manual else "automatic",
            late_authorization=late,
        )
        self.model = Model("processing", amount, manual, late)
        return self.decided(self.create, legal=True)

    # The bank's answers to the attempt

    @rule(
        target=log,
        outcome=st.sampled_from(OUTCOMES),
        look=looks,
        callback=st.integers(0, 2),
        short=st.sampled_from([0, 0, 0, 1]),
    )
    def answer(self, outcome: Outcome, look: int, callback: int, short: int) -> tuple[Command, int]:
        """A bank answers: awaited or not, once or again, in part or in whole."""
        model = self.model
        amount = max(1, model.amount - short)
        answer = answer_to(self.create, outcome, look, amount=amount, callback=callback)
        answer = answer.model_copy(update={"command_id": f"cmd_{self.key()}"})
        seen = model.held or any(p.kind == "reversal" for p in model.parts.values())
        waits = model.state in ("processing", "in_doubt")
        late = model.state in ("failed", "canceled") and outcome == "approved"
        legal = not seen and (waits or late)
        no_news = outcome == "unknown" and look > BY_HAND_FROM
        if no_news:  # The chain of inquiries goes on; before there is one, nobody asks by hand.
            legal = not seen and model.state == "in_doubt"
        if legal and outcome == "approved":
            model.approved(amount)
        elif legal and outcome == "unknown" and not no_news:
            model.state = "failed" if look == LAST_LOOK else "in_doubt"
        elif legal and not no_news:
            model.state = "failed"
        return self.decided(answer, legal=legal)

    # What merchants ask

    @rule(target=log, amount=st.none() | parts, final=st.booleans())
    def capture(self, amount: int | None, final: bool) -> tuple[Command, int]:
        """In whole or in part."""
        model = self.model
        if model.state == "captured":
            whole = amount in (None, model.captured)
            legal = whole and model.refundable == model.captured
        else:
            legal = 0 < (amount or model.capturable) <= model.capturable
        command = asks(CapturePayment, self.payment, self.key(), amount=amount, final=final)
        return self.decided(command, legal=legal)

    @rule(target=log, amount=st.none() | parts)
    def cancel(self, amount: int | None) -> tuple[Command, int]:
        """Before the approval as a wish, after it as a void."""
        model = self.model
        waits = model.state in ("processing", "in_doubt") and amount in (None, model.amount)
        legal = waits or 0 < (amount or model.capturable) <= model.capturable
        model.cancel = model.cancel or waits
        return self.decided(
            asks(CancelPayment, self.payment, self.key(), amount=amount), legal=legal
        )

    @rule(target=log)
    def reverse(self) -> tuple[Command, int]:
        """Whatever undoes it."""
        model = self.model
        waits = model.state in ("processing", "in_doubt")
        taken = model.state in ("captured", "partially_captured") and model.refundable > 0
        model.cancel = model.cancel or waits
        legal = waits or taken or model.capturable > 0
        return self.decided(asks(ReversePayment, self.payment, self.key()), legal=legal)

    @rule(target=log, amount=st.none() | parts, later=st.booleans())
    def refund(self, amount: int | None, later: bool) -> tuple[Command, int]:
        """In whole or in part, now or later."""
        model = self.model
        paid = model.state in ("captured", "partially_captured")
        legal = paid and 0 < (amount or model.refundable) <= model.refundable
        due_ms = self.clock_ms + 1000 if later else None
        command = asks(RefundPayment, self.payment, self.key(), amount=amount, submit_at_ms=due_ms)
        return self.decided(command, legal=legal)

    @rule(target=log, amount=parts)
    def increment(self, amount: int) -> tuple[Command, int]:
        """Hold more."""
        model = self.model
        legal = model.state in ("authorized", "partially_captured")
        legal = legal and not model.over and not model.last
        command = asks(IncrementPayment, self.payment, self.key(), amount=amount)
        return self.decided(command, legal=legal)

    # Time

    @rule(target=log)
    def hold_ends(self) -> tuple[Command, int]:
        """The seven days are over."""
        model = self.model
        legal = model.state in ("authorized", "partially_captured")
        model.over = model.over or legal
        ended = timer(self.payment, "hold").model_copy(update={"command_id": self.key()})
        return self.decided(ended, legal=legal)

    # What becomes of children

    def some(self, which: int) -> Child | None:
        children = self.payment.children
        return children[which % len(children)] if children else None

    @precondition(lambda self: self.fold.payment and self.fold.payment.children)
    @rule(target=log, which=st.integers(0, 50), outcome=st.sampled_from(OUTCOMES), look=looks)
    def child_answered(self, which: int, outcome: Outcome, look: int) -> tuple[Command, int]:
        """The bank says how a capture, void, refund, reversal or increment went, or does not."""
        child = self.some(which)
        assert child is not None
        part = self.model.parts[child.id]
        answer = child_answer(self.payment, child, outcome, look)
        answer = answer.model_copy(update={"command_id": self.key()})
        legal = part.reserved and part.state != "requested"
        if outcome == "unknown" and look > BY_HAND_FROM:
            legal = part.state in ("in_doubt", "needs_review")
        elif outcome == "unknown":
            ended = look == LAST_LOOK
            legal = part.state in ("submitted", "in_doubt")
            self.end(part, "needs_review" if ended else "in_doubt", legal)
        elif outcome == "approved":
            self.end(part, "succeeded", legal)
        else:
            # A bank returns a refund unasked; an inquiry that was slower undoes nothing.
            returned = look == 0 and part.kind == "refund" and part.state == "succeeded"
            legal = legal or returned
            back = part.kind in ("reversal", "void") and part.by != "client"
            self.end(part, "needs_review" if back else "failed", legal)
        return self.decided(answer, legal=legal)

    @rule(target=log, which=st.none() | st.integers(0, 50))
    def inquire(self, which: int | None) -> tuple[Command, int]:
        """An operator asks out of turn."""
        child = None if which is None else self.some(which)
        if child is None:
            legal = self.model.state == "in_doubt"
        else:
            legal = self.model.parts[child.id].state in ("in_doubt", "needs_review")
        about = child and child.id
        command = asks(InquirePayment, self.payment, self.key(), child_id=about, reason="they call")
        return self.decided(command, legal=legal)

    @precondition(lambda self: self.fold.payment and self.fold.payment.children)
    @rule(target=log, which=st.integers(0, 50), succeeded=st.booleans())
    def resolve(self, which: int, succeeded: bool) -> tuple[Command, int]:
        """An operator has evidence."""
        child = self.some(which)
        assert child is not None
        part = self.model.parts[child.id]
        legal = part.state == "needs_review"
        word = "succeeded" if succeeded else "failed"
        command = asks(
            ResolvePayment,
            self.payment,
            self.key(),
            child_id=child.id,
            outcome=word,
            evidence="the bank's letter",
        )
        self.end(part, word, legal)
        return self.decided(command, legal=legal)

    @precondition(lambda self: self.fold.payment and self.fold.payment.children)
    @rule(target=log, which=st.integers(0, 50), due=st.booleans())
    def refund_moves(self, which: int, due: bool) -> tuple[Command, int]:
        """A refund's time comes, or it is taken back before."""
        child = self.some(which)
        assert child is not None
        part = self.model.parts[child.id]
        legal = part.kind == "refund" and part.state == "requested"
        if due:
            command: Command = timer(self.payment, "refund", child.id)
            command = command.model_copy(update={"command_id": self.key()})
        else:
            command = asks(CancelRefund, self.payment, self.key(), refund_id=child.id)
        self.end(part, "submitted" if due else "canceled", legal)
        return self.decided(command, legal=legal)

    def end(self, part: Part, state: str, legal: bool) -> None:
        """Move a part of the model, and the payment with it."""
        if not legal:
            return
        model, was = self.model, part.state
        part.state = state
        if part.kind == "increment" and state == "succeeded":
            model.held += part.amount
        if part.kind == "reversal" and model.state in ("processing", "in_doubt") and model.cancel:
            if state == "succeeded":
                model.state = "canceled"
            elif state == "failed":
                model.held = part.amount
                model.state = "authorized" if model.manual else "captured"
        if part.kind in ("capture", "void") and state in ("succeeded", "failed") and was != state:
            model.settle(by_expiry=part.by == "hold_expiry")

    # Again

    @rule(earlier=log)
    def repeat(self, earlier: tuple[Command, int]) -> None:
        """A command that was recorded comes again and changes nothing."""
        before = self.payment, len(self.fold.facts), len(self.fold.asked)
        self.fold.take(earlier[0], self.clock_ms + 1000)
        assert (self.payment, len(self.fold.facts), len(self.fold.asked)) == before

    @rule(start=st.integers(0, 100))
    def replay_a_suffix(self, start: int) -> None:
        """The end of the log is read again, as after a crash."""
        before = self.payment, len(self.fold.facts), len(self.fold.asked)
        for command, at_ms in self.history[start % (len(self.history) + 1) :]:
            self.fold.take(command, at_ms)
        assert (self.payment, len(self.fold.facts), len(self.fold.asked)) == before

    # What must hold

    @invariant()
    def the_payment_is_as_the_model_says(self) -> None:
        """State and money agree with the reference."""
        if self.fold.payment is None:
            return
        payment, model = self.payment, self.model
        assert payment.state == model.state
        assert payment.amount_authorized == model.held
        assert payment.amount_captured == model.captured
        assert payment.amount_refunded == model.refunded
        assert payment.capturable == max(0, model.capturable)
        assert {c.id: c.state for c in payment.children} == {
            id_: part.state for id_, part in model.parts.items()
        }

    @invariant()
    def no_step_breaks_the_money_rules(self) -> None:
        """08 R21: nothing is spent twice, whatever is still at the bank."""
        if self.fold.payment is None:
            return
        payment = self.payment
        taken = payment.amount_captured + payment.pending("capture")
        let_go = payment.amount_voided + payment.pending("void")
        assert taken + let_go <= payment.amount_authorized
        assert payment.amount_refunded + payment.pending("refund") <= payment.amount_captured
        assert min(payment.amount_captured, payment.amount_refunded, payment.amount_voided) >= 0
        assert all(child.amount > 0 for child in payment.children)

    @invariant()
    def facts_have_no_gaps(self) -> None:
        """Sequences rise by one, ids are unique, and the last fact shows the payment as it is."""
        facts = self.fold.facts
        assert [fact.sequence for fact in facts] == list(range(1, len(facts) + 1))
        assert len({fact.id for fact in facts}) == len(facts)
        if self.fold.payment is not None:
            assert facts[-1].data.payment == self.payment.snapshot()

    @invariant()
    def a_bank_is_asked_once_for_each_thing(self) -> None:
        """No matter what comes: one authorisation, one call per child, no inquiry twice."""
        calls = [r for r in self.fold.asked if isinstance(r, AcquirerRequest)]
        first = [(r.attempt_id, r.type) for r in calls if r.type != "inquire"]
        assert len(set(first)) == len(first)
        assert [kind for _, kind in first].count("authorize") <= 1
        by_hand = [(r.attempt_id, r.look) for r in calls if r.look > BY_HAND_FROM]
        assert len(set(by_hand)) == len(by_hand)

    def teardown(self) -> None:
        """Replaying the whole log tells the same bytes (08 R10)."""
        again = Fold()
        for command, at_ms in self.history:
            again.take(command, at_ms)
        assert again.payment == self.fold.payment
        assert [encode(f) for f in again.facts] == [encode(f) for f in self.fold.facts]


TestPayments = Payments.TestCase
TestPayments.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # A busy machine is no fault of a payment.
)
