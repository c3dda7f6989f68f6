"""Rows of a run for tests of its verdict: what settle and notify would have stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from headgate.replay.checks import Check
from headgate.replay.judge import Judge
from headgate.replay.receiver import Arrivals
from headgate.replay.standing import Whose
from headgate.replay.stored import (
    StoredAttempt,
    StoredChild,
    StoredDelivery,
    StoredFact,
    StoredOperation,
    StoredPayment,
)
from headgate.replay.tally import Tally
from headgate.streams import ids
from headgate.streams.clock import from_ms
from headgate.streams.codec import encode
from headgate.streams.commands import Command, CreatePayment
from headgate.streams.signatures import sign
from headgate.tables.payment import Payment
from headgate.tables.payments import Decision, decide
from tests.unit.builders import AT_MS, MERCHANT, answer_to, create

ENDPOINT = "whe_1"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW_MS = AT_MS + 10_000
OWN = Whose(MERCHANT, endpoint_id=ENDPOINT)


def operation(command: Command, decision: Decision) -> StoredOperation:
    """The row of a command that was not refused."""
    facts = decision.facts
    return StoredOperation(
        command.command_id,
        command.type,
        None if isinstance(command, CreatePayment) else getattr(command, "key_id", None),
        facts[0].sequence if facts else 0,
        facts[-1].sequence if facts else 0,
        tuple(
            one.not_before_ms
            for one in decision.requests
            if one.request.type == "inquire" and one.not_before_ms is not None
        ),
    )


def rows(payment: Payment, decided: Iterable[tuple[Command, Decision]]) -> StoredPayment:
    """A payment's rows after these decisions, its webhooks delivered."""
    taken = [(command, one) for command, one in decided if one.refusal is None]
    facts = [fact for _, decision in taken for fact in decision.facts]
    return StoredPayment(
        payment,
        payment.state,
        payment.status,
        payment.amount,
        [StoredFact(each.sequence, each.id, each.type, encode(each)) for each in facts],
        [StoredChild(c.id, c.kind, c.state, c.amount) for c in payment.children],
        [operation(*each) for each in taken],
        [StoredDelivery(ids.delivery_id(f.id, ENDPOINT), f.id, "success", "200") for f in facts],
    )


def lived(*life: Command) -> StoredPayment:
    """The rows of a payment to which this has happened."""
    payment: Payment | None = None
    decided = []
    for number, command in enumerate(life):
        decision = decide(payment, command, AT_MS + number)
        payment = decision.payment
        decided.append((command, decision))
    assert payment is not None
    return rows(payment, decided)


def paid(key: str) -> StoredPayment:
    """A payment that was captured with its approval."""
    asked = create(key)
    return lived(asked, answer_to(asked, "approved"))


def retried(one: StoredPayment, *waits_s: float, early_s: float = 0) -> StoredPayment:
    """The first webhook took several tries."""
    at, tries = from_ms(AT_MS), []
    for number, wait_s in enumerate([*waits_s, None], start=1):
        due = at + timedelta(seconds=wait_s) if wait_s is not None else None
        tries.append(StoredAttempt(number, at, due))
        at = due - timedelta(seconds=early_s) if due else at
    first = replace(one.deliveries[0], attempts=tuple(tries))
    return replace(one, deliveries=[first, *one.deliveries[1:]])


@dataclass
class Told:
    """What the sender and the receiver of a run know, as if all had gone well."""

    payments: Sequence[StoredPayment]
    tally: Tally = field(default_factory=Tally)
    arrivals: Arrivals | None = field(default_factory=lambda: Arrivals(SECRET))
    whose: Whose = OWN

    def __post_init__(self) -> None:
        for one in self.payments:
            self.tally.accepted.add(one.payment.id)
            for child in one.children:
                self.tally.children[child.id] = one.payment.id
            for fact in one.facts:
                self.arrive(fact.event_id, fact.payload)

    def arrive(self, webhook_id: str, body: bytes, secret: str = SECRET) -> int:
        """A webhook comes to the receiver."""
        assert self.arrivals is not None
        headers = sign([secret], webhook_id, AT_MS // 1000, body)
        return self.arrivals.take(headers, body, AT_MS / 1000)

    def checks(self, *payments: StoredPayment, **others: Any) -> dict[str, Check]:
        """The verdict's lines by name; about these rows instead, if any are given."""
        judge = Judge(self.whose, self.tally, self.arrivals, NOW_MS)
        judge.add(payments or self.payments)
        return {line.name: line for line in judge.lines(**others)}
