"""decide() against a small model of what a payment may be: random commands, random repeats."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from headgate.streams import ids
from headgate.streams.codec import encode
from headgate.streams.commands import Command, CreatePayment, Outcome
from headgate.streams.facts import Fact
from headgate.tables.payment import Payment
from headgate.tables.payments import INQUIRY_DELAYS_MS, Decision, decide
from tests.unit.builders import AT_MS, answer_to, create

KEYS = ("one", "two")
AWAITED = ("processing", "in_doubt")


@dataclass
class Model:
    """The reference: a handful of words per payment, written from 02 §8.1 and not from the code."""

    state: str = "unknown"
    amount: int = 0
    manual: bool = False
    paid: bool = False
    captured: bool = False
    version: int = 0

    def create(self, command: CreatePayment) -> str | None:
        """The refusal that is expected, None when the command counts."""
        if self.state != "unknown":
            return "payment_exists"
        self.state, self.amount, self.version = "processing", command.amount, 1
        self.manual = command.capture_method == "manual"
        return None

    def answer(self, outcome: Outcome, mine: bool) -> str | None:
        """The same for a bank's answer to our attempt, or to another."""
        if self.state == "unknown":
            return "payment_unknown"
        if not mine:
            return "attempt_unknown"
        if self.state == "failed" and outcome == "approved":
            return "approved_too_late"
        if self.state not in AWAITED:
            return "attempt_answered"
        self.version += 1
        if outcome == "approved":
            self.paid, self.captured = True, not self.manual
            self.state = "authorized" if self.manual else "captured"
        else:
            self.state = "in_doubt" if outcome == "unknown" else "failed"
        return None


@dataclass
class Fold:
    """What settle does with decisions: a command counts once, by its id; the rest is the log."""

    payments: dict[str, Payment] = field(default_factory=dict)
    decided: dict[str, Decision] = field(default_factory=dict)
    facts: dict[str, list[Fact]] = field(default_factory=dict)
    asked: list[tuple[str, str, int]] = field(default_factory=list)

    def take(self, command: Command, at_ms: int) -> Decision:
        """The first decision of this command, however often it comes."""
        if command.command_id in self.decided:
            return self.decided[command.command_id]
        decision = decide(self.payments.get(command.payment_id), command, at_ms)
        if decision.refusal == "payment_unknown":
            return decision  # 08 R14: not recorded; the same command may come again
        assert decision.payment is not None
        self.decided[command.command_id] = decision
        self.payments[command.payment_id] = decision.payment
        self.facts.setdefault(command.payment_id, []).extend(decision.facts)
        self.asked += [
            (one.request.attempt_id, one.request.type, one.request.look)
            for one in decision.requests
        ]
        return decision


class Payments(RuleBasedStateMachine):
    """Any order of creates, answers, strays and repeats."""

    commands: Bundle[tuple[Command, int]] = Bundle("commands")
    creates: Bundle[CreatePayment] = Bundle("creates")

    def __init__(self) -> None:
        super().__init__()
        self.fold = Fold()
        self.models: dict[str, Model] = {}
        self.clock_ms = AT_MS
        self.log: list[tuple[Command, int]] = []

    def decided(self, command: Command, expected: str | None, known: bool) -> tuple[Command, int]:
        self.clock_ms += 1
        decision = self.fold.take(command, self.clock_ms)
        if not known:
            assert decision.refusal == expected
            self.log.append((command, self.clock_ms))
        return command, self.clock_ms

    def model(self, payment_id: str) -> Model:
        return self.models.setdefault(payment_id, Model())

    @rule(
        target=creates,
        key=st.sampled_from(KEYS),
        amount=st.integers(1, 10**12),
        manual=st.booleans(),
    )
    def prepare(self, key: str, amount: int, manual: bool) -> CreatePayment:
        """A request that a client may send, once or again, or with another body."""
        nth = str(amount % 3)
        payment_id = ids.payment_id("mer_1", "test", key)
        return create(
            key,
            command_id=ids.command_id(payment_id, "payment.create", key + nth),
            amount=amount,
            capture_method="manual" if manual else "automatic",
        )

    @rule(target=commands, command=creates)
    def ask(self, command: CreatePayment) -> tuple[Command, int]:
        """The request reaches settle."""
        known = command.command_id in self.fold.decided
        expected = None if known else self.model(command.payment_id).create(command)
        return self.decided(command, expected, known)

    @rule(
        target=commands,
        command=creates,
        outcome=st.sampled_from(["approved", "declined", "unknown", "not_found"]),
        look=st.integers(0, len(INQUIRY_DELAYS_MS)),
        mine=st.sampled_from([True, True, True, False]),
    )
    def answer(
        self, command: CreatePayment, outcome: Outcome, look: int, mine: bool
    ) -> tuple[Command, int]:
        """A bank answers: awaited or not, to our attempt or to one that nobody knows."""
        payment = self.fold.payments.get(command.payment_id)
        attempt = payment.attempt_id if payment and mine else ids.attempt_id("cmd_stray", 1)
        answer = answer_to(
            command, outcome, look, attempt_id=attempt, amount=payment.amount if payment else 1
        )
        # Without a payment every answer has the same id; each try is another command then.
        known = answer.command_id in self.fold.decided
        model = self.model(command.payment_id)
        expected = None if known else model.answer(outcome, mine and payment is not None)
        return self.decided(answer, expected, known)

    @rule(earlier=commands)
    def repeat(self, earlier: tuple[Command, int]) -> None:
        """A command that was recorded comes again and changes nothing."""
        command, _ = earlier
        if command.command_id not in self.fold.decided:
            return
        before = dict(self.fold.payments), sum(map(len, self.fold.facts.values()))
        self.fold.take(command, self.clock_ms + 1000)
        assert (dict(self.fold.payments), sum(map(len, self.fold.facts.values()))) == before

    @invariant()
    def payments_are_as_the_model_says(self) -> None:
        """State and money agree with the reference."""
        for payment_id, model in self.models.items():
            payment = self.fold.payments.get(payment_id)
            assert (payment.state if payment else "unknown") == model.state
            if payment:
                assert (payment.amount, payment.version) == (model.amount, model.version)
                assert payment.amount_authorized == (model.amount if model.paid else 0)
                assert payment.amount_captured == (model.amount if model.captured else 0)
                assert payment.amount_captured <= payment.amount_authorized <= payment.amount

    @invariant()
    def facts_have_no_gaps(self) -> None:
        """Sequences rise by one per payment, and ids are the derived ones."""
        for payment_id, facts in self.fold.facts.items():
            assert [fact.sequence for fact in facts] == list(range(1, len(facts) + 1))
            assert self.fold.payments[payment_id].sequence == len(facts)
            assert len({fact.id for fact in facts}) == len(facts)

    @invariant()
    def a_bank_is_asked_to_charge_once_per_payment(self) -> None:
        """No matter what comes: one authorisation per payment, no inquiry twice."""
        charged = [attempt for attempt, kind, _ in self.fold.asked if kind == "authorize"]
        assert len(charged) == len(self.fold.payments)
        assert len(set(self.fold.asked)) == len(self.fold.asked)

    def teardown(self) -> None:
        """Replaying the whole log tells the same bytes (08 R10)."""
        again = Fold()
        for command, at_ms in self.log:
            again.take(command, at_ms)
        assert again.payments == self.fold.payments
        for payment_id, facts in self.fold.facts.items():
            assert [encode(f) for f in again.facts[payment_id]] == [encode(f) for f in facts]


TestPayments = Payments.TestCase
TestPayments.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
